// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.nio.file.Path;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Exact top-k by cosine. Rows are divided by their norm when added; the truth is the float64 dot product of the stored
 * fp32 unit vectors; ties go to the row added first.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build();
 *         VectorIndex index = VectorIndex.create(embedder.dimension())) {
 *     index.add(embedder.embed(List.of("a cat sleeps", "stock prices fell")));
 *     Hits hits = index.search(embedder.embed("a dog naps"), 1);
 *     if (hits.id(0, 0) != 0) throw new AssertionError();
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface VectorIndex extends AutoCloseable {

    /** The largest k of a search. */
    int MAX_K = 4096;

    /**
     * Makes an empty index on the CPU.
     *
     * @param dimension D
     * @return the index; the caller closes it
     */
    static VectorIndex create(int dimension) {
        return create(dimension, "cpu");
    }

    /**
     * Makes an empty index.
     *
     * @param dimension D
     * @param device {@code auto}, {@code cpu}, {@code cuda:0}
     * @return the index; the caller closes it
     * @throws DeviceUnavailableException if the device cannot be used
     */
    static VectorIndex create(int dimension, String device) {
        return EmbedderFactory.find().index(dimension, device);
    }

    /**
     * Opens a saved index on the CPU.
     *
     * @param directory what {@link #save} was given
     * @return the index; the caller closes it
     * @throws ModelFormatException if the directory holds no index, or a damaged one
     */
    static VectorIndex load(Path directory) {
        return load(directory, "cpu");
    }

    /**
     * Opens a saved index.
     *
     * @param directory what {@link #save} was given
     * @param device {@code auto}, {@code cpu}, {@code cuda:0}
     * @return the index; the caller closes it
     * @throws ModelFormatException if the directory holds no index, or a damaged one
     * @throws DeviceUnavailableException if the device cannot be used
     */
    static VectorIndex load(Path directory, String device) {
        return EmbedderFactory.find().loadIndex(directory, device);
    }

    /**
     * Adds rows; they get the ids that follow the last one, from 0.
     *
     * @param rows [N][D]
     * @throws IllegalArgumentException if a row has another length, is all zeros or is not finite
     */
    void add(float[][] rows);

    /**
     * Adds the vectors of texts.
     *
     * @param rows [N, D]
     */
    default void add(Embeddings rows) {
        add(rows.toArray());
    }

    /**
     * Finds the nearest rows.
     *
     * @param queries [Q][D]
     * @param k results per query, at least 1
     * @param filter rows that may be found; null for all
     * @return ids and cosines [Q, k]
     */
    Hits search(float[][] queries, int k, @Nullable BitSet filter);

    /**
     * Finds the nearest of all rows.
     *
     * @param queries [Q][D]
     * @param k results per query, at least 1
     * @return ids and cosines [Q, k]
     */
    default Hits search(float[][] queries, int k) {
        return search(queries, k, null);
    }

    /**
     * Finds the rows nearest to texts' vectors.
     *
     * @param queries [Q, D]
     * @param k results per query, at least 1
     * @return ids and cosines [Q, k]
     */
    default Hits search(Embeddings queries, int k) {
        return search(queries.toArray(), k);
    }

    /**
     * Returns how many rows there are.
     *
     * @return N
     */
    long size();

    /**
     * Returns the length of the vectors.
     *
     * @return D
     */
    int dimension();

    /**
     * Writes all rows to {@code vectors.safetensors} in a directory, as the tensor {@code vectors} [N, D] fp32, in one
     * step: whoever opens it sees the old index or the new one.
     *
     * @param directory made if it is not there
     * @throws EmbedException if it cannot be written
     */
    void save(Path directory);

    /** Frees the memory. */
    @Override
    void close();
}
