// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.Hits;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Vectors on one device with exact top-k by dot product; callers add unit vectors for cosine.
 *
 * <pre>{@code
 * BackendProvider cpu = ServiceLoader.load(BackendProvider.class).stream()
 *         .map(ServiceLoader.Provider::get)
 *         .filter(backend -> backend.name().equals("cpu"))
 *         .findFirst()
 *         .orElseThrow();
 * try (Device device = cpu.open(DeviceId.CPU);
 *         IndexShard shard = device.index(new IndexSpec(2, DType.FP32))) {
 *     shard.add(new float[] {1, 0, 0, 1}, 2);
 *     if (shard.search(new float[] {0, 1}, 1, 1, null).id(0, 0) != 1) throw new AssertionError();
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface IndexShard extends AutoCloseable {

    /**
     * Appends rows.
     *
     * @param values [rows, D], row-major
     * @param rows how many
     */
    void add(float[] values, int rows);

    /**
     * Finds the rows of the largest dot product; ties go to the lower row.
     *
     * @param queries [Q, D], row-major
     * @param queryCount Q
     * @param k results per query
     * @param filter rows that may be found; null for all
     * @return row numbers as ids, and dot products, [Q, k]
     */
    Hits search(float[] queries, int queryCount, int k, @Nullable BitSet filter);

    /**
     * Copies rows to the host.
     *
     * @param firstRow 0 to N - 1
     * @param count how many
     * @return [count, D], row-major
     */
    float[] read(long firstRow, int count);

    /**
     * Returns how many rows there are.
     *
     * @return N
     */
    long rows();

    /** Frees the memory. */
    @Override
    void close();
}
