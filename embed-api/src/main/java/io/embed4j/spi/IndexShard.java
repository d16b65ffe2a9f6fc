// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.Hits;
import io.embed4j.VectorIndex;
import java.nio.FloatBuffer;

/**
 * Vectors on one device with top-k by dot product; callers add unit vectors for cosine. Thread-safe: rows are appended and
 * never moved, and a search looks at the rows of its selection, which were there when it began.
 *
 * <p>Under {@link IndexSpec.Rescoring#EXACT} results are exact: a score is the dot product of two fp32 vectors, their
 * products (exact in float64) added up in float64 in the order of the numbers from the first to the last; higher scores come
 * first, of equal ones the lower row. A shard that scans in another way finds candidates by it, and leaves the scores to
 * embed-core's {@code ExactRescorer}.
 *
 * <pre>{@code
 * BackendProvider cpu = ServiceLoader.load(BackendProvider.class).stream()
 *         .map(ServiceLoader.Provider::get)
 *         .filter(backend -> backend.name().equals("cpu"))
 *         .findFirst()
 *         .orElseThrow();
 * try (Device device = cpu.open(DeviceId.CPU);
 *         IndexShard shard = device.index(IndexSpec.exact(2))) {
 *     shard.add(FloatBuffer.wrap(new float[] {1, 0, 0, 1}));
 *     Hits hits = shard.search(FloatBuffer.wrap(new float[] {0, 1}), 1, RowSelection.first(2));
 *     if (hits.id(0, 0) != 1) throw new AssertionError();
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface IndexShard extends AutoCloseable {

    /**
     * Returns what the shard holds.
     *
     * @return width, storage, rescoring
     */
    IndexSpec spec();

    /**
     * Appends copies of rows, all of them or, if this throws, none. The buffer's position stays as it is.
     *
     * @param rows [n, D], row-major, finite, from the buffer's position to its limit
     * @throws IllegalArgumentException if the numbers are no whole rows
     * @throws io.embed4j.EmbedException if there is no room for them
     */
    void add(FloatBuffer rows);

    /**
     * As {@link #add(FloatBuffer)}, for rows that will not change while the shard is open, such as those of a mapped file: a
     * shard that needs fp32 rows on the host then reads them where they are, and counts no memory for them. By default they
     * are copied.
     *
     * @param rows [n, D], row-major, finite, from the buffer's position to its limit; direct, in native byte order
     */
    default void adopt(FloatBuffer rows) {
        add(rows);
    }

    /**
     * Tells whether vectors on a device are of use here: then {@link #add(DeviceRows)} and
     * {@link #search(DeviceRows, int, RowSelection)} take them from there. By default they are not.
     *
     * @param device where an encoder computes them
     * @return whether it is this shard's device
     */
    default boolean takesFrom(DeviceId device) {
        return false;
    }

    /**
     * Appends vectors that lie on a device and on the host. By default it takes those of the host.
     *
     * @param rows [n, D], finite; still the caller's to close
     */
    default void add(DeviceRows rows) {
        add(rows.values());
    }

    /**
     * Remembers the rows that there are, for who appends in several pieces and wants all of them or none.
     *
     * @return takes back all rows that were appended since, and the memory that was taken for them; the next ones get their
     *     numbers. To be run once at most, while no search knows of these rows; searches of earlier rows may be under way
     */
    Runnable mark();

    /**
     * Finds the rows with the largest dot products.
     *
     * @param queries [Q, D], row-major, finite, from the buffer's position to its limit; not changed during the call
     * @param k results per query, 1 to {@link VectorIndex#MAX_K}
     * @param selection the rows that may be found, all of them below {@link #rows()}
     * @return row numbers as ids, and dot products, [Q, k]; id -1 and score -infinity where fewer rows are selected
     */
    Hits search(FloatBuffer queries, int k, RowSelection selection);

    /**
     * As {@link #search(FloatBuffer, int, RowSelection)}, for queries that lie on a device and on the host. By default it takes
     * those of the host.
     *
     * @param queries [Q, D], finite; still the caller's to close
     * @param k results per query, 1 to {@link VectorIndex#MAX_K}
     * @param selection the rows that may be found, all of them below {@link #rows()}
     * @return row numbers as ids, and dot products, [Q, k]
     */
    default Hits search(DeviceRows queries, int k, RowSelection selection) {
        return search(queries.values(), k, selection);
    }

    /**
     * Copies rows to the host: the fp32 rows that were added, or, where nothing but the storage is kept, what it holds.
     *
     * @param firstRow 0 to N - 1
     * @param count how many
     * @return [count, D], row-major
     */
    float[] read(int firstRow, int count);

    /**
     * Returns how many rows there are.
     *
     * @return N
     */
    int rows();

    /** Frees the memory, and lets go of the buffers that were added. No search may be under way. */
    @Override
    void close();
}
