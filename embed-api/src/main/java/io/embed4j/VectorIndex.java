// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Exact top-k by cosine or dot product. The truth is the float64 dot product of the stored fp32 vectors, for cosine divided
 * by their length when they are added, unless it is 1 to within 5e-7 already; ties go to the row added first. In fp16 and bf16
 * results are the same: candidates are found in 16 bits and scored again from the fp32 vectors.
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
 * <p>Thread-safe. A search sees the rows that there were when it began, whatever is added or deleted meanwhile; adding and
 * deleting take turns. An addition that fails, for whatever reason, adds nothing: rows that came before the one that failed are
 * taken back at once, with their numbers, ids and memory. Rows are numbered in the order in which they were added, from 0; a row
 * keeps its number when others are deleted, and when the index is saved and loaded, until {@link #compact} numbers them anew.
 * A closed index answers with an {@link EmbedException}.
 *
 * @since 0.1
 */
public interface VectorIndex extends AutoCloseable {

    /** The largest k of a search. */
    int MAX_K = 4096;

    /**
     * Starts building an index.
     *
     * @return a builder with {@link IndexOptions#defaults()}
     */
    static Builder builder() {
        return new Builder();
    }

    /**
     * Makes an empty index with {@link IndexOptions#defaults()}.
     *
     * @param dimension D
     * @return the index; the caller closes it
     */
    static VectorIndex create(int dimension) {
        return builder().build(dimension);
    }

    /**
     * Opens a saved index with {@link IndexOptions#defaults()}.
     *
     * @param directory what {@link #save} was given
     * @return the index; the caller closes it
     * @throws ModelFormatException if the directory holds no index, or a damaged one
     */
    static VectorIndex load(Path directory) {
        return builder().load(directory);
    }

    /**
     * Writes a saved index anew without its deleted rows, which otherwise keep their place in its files and in memory. It is a change
     * in one step, as {@link #save} is. The rows behind them get lower numbers, ids stay; an index that was loaded before must be
     * loaded again before it can be saved there.
     *
     * @param directory what {@link #save} was given
     * @return how many rows were left out
     * @throws ModelFormatException if the directory holds no index, or a damaged one
     * @throws EmbedException if it cannot be written
     */
    static int compact(Path directory) {
        return EmbedderFactory.find().compactIndex(directory);
    }

    /**
     * Adds rows; they get the ids that follow the largest one, from 0.
     *
     * @param rows [N, D]; read to their end, still the caller's to close
     * @throws IllegalArgumentException if a row is not finite or, for cosine, all zeros; if the index has strings as ids. Then
     *     none was added
     * @throws EmbedException if there is no room
     */
    void add(VectorRows rows);

    /**
     * Adds rows under ids.
     *
     * @param ids [N], each new
     * @param rows [N, D]; read to their end, still the caller's to close
     * @throws IllegalArgumentException as for {@link #add(VectorRows)}, and if an id is there already or numbers differ
     */
    void add(long[] ids, VectorRows rows);

    /**
     * Adds rows under ids, to an index with {@link IndexOptions#stringIds()}.
     *
     * @param ids [N], each new
     * @param rows [N, D]; read to their end, still the caller's to close
     * @throws IllegalArgumentException as for {@link #add(VectorRows)}, and if an id is there already or numbers differ
     */
    void add(List<String> ids, VectorRows rows);

    /**
     * Adds rows; they get the ids that follow the largest one, from 0.
     *
     * @param rows [N][D]
     */
    default void add(float[][] rows) {
        add(VectorRows.of(dimension(), rows));
    }

    /**
     * Adds rows under ids.
     *
     * @param ids [N], each new
     * @param rows [N][D]
     */
    default void add(long[] ids, float[][] rows) {
        add(ids, VectorRows.of(dimension(), rows));
    }

    /**
     * Adds rows under ids, to an index with {@link IndexOptions#stringIds()}.
     *
     * @param ids [N], each new
     * @param rows [N][D]
     */
    default void add(List<String> ids, float[][] rows) {
        add(ids, VectorRows.of(dimension(), rows));
    }

    /**
     * Adds the vectors of texts; they get the ids that follow the largest one, from 0.
     *
     * @param rows [N, D]
     */
    default void add(Embeddings rows) {
        add(VectorRows.of(rows));
    }

    /**
     * Adds the vectors of texts under ids.
     *
     * @param ids [N], each new
     * @param rows [N, D]
     */
    default void add(long[] ids, Embeddings rows) {
        add(ids, VectorRows.of(rows));
    }

    /**
     * Adds the vectors of texts under ids, to an index with {@link IndexOptions#stringIds()}.
     *
     * @param ids [N], each new
     * @param rows [N, D]
     */
    default void add(List<String> ids, Embeddings rows) {
        add(ids, VectorRows.of(rows));
    }

    /**
     * Removes rows from all searches that begin from now on. Their ids may be used again.
     *
     * @param ids which; unknown ones are passed over
     * @return how many were there
     */
    int delete(long... ids);

    /**
     * Removes rows of an index with {@link IndexOptions#stringIds()} from all searches that begin from now on. Their ids may be
     * used again.
     *
     * @param ids which; unknown ones are passed over
     * @return how many were there
     */
    int delete(List<String> ids);

    /**
     * Finds the nearest rows.
     *
     * @param queries [Q][D]
     * @param k results per query, 1 to {@link #MAX_K}
     * @param filter numbers of the rows that may be found, as {@link #rowsOf} tells them; null for all
     * @return ids and scores [Q, k]
     * @throws IllegalArgumentException if a query has another length, is not finite or, for cosine, all zeros; if k is out of
     *     range
     */
    Hits search(float[][] queries, int k, @Nullable BitSet filter);

    /**
     * Finds the rows nearest to texts' vectors.
     *
     * @param queries [Q, D]
     * @param k results per query, 1 to {@link #MAX_K}
     * @param filter numbers of the rows that may be found; null for all
     * @return ids and scores [Q, k]
     */
    Hits search(Embeddings queries, int k, @Nullable BitSet filter);

    /**
     * Finds the nearest rows of vectors from anywhere, such as a file or {@link Embedder#embedRows}.
     *
     * @param queries [Q, D]; read to their end, still the caller's to close
     * @param k results per query, 1 to {@link #MAX_K}
     * @param filter numbers of the rows that may be found; null for all
     * @return ids and scores [Q, k]
     * @throws IllegalArgumentException if a query has another length, is not finite or, for cosine, all zeros
     */
    Hits search(VectorRows queries, int k, @Nullable BitSet filter);

    /**
     * Finds the rows nearest to one vector.
     *
     * @param query [D]
     * @param k results, 1 to {@link #MAX_K}
     * @return ids and scores [1, k]
     */
    default Hits search(float[] query, int k) {
        return search(new float[][] {query}, k, null);
    }

    /**
     * Finds the nearest of all rows.
     *
     * @param queries [Q][D]
     * @param k results per query, 1 to {@link #MAX_K}
     * @return ids and scores [Q, k]
     */
    default Hits search(float[][] queries, int k) {
        return search(queries, k, null);
    }

    /**
     * Finds the rows nearest to texts' vectors.
     *
     * @param queries [Q, D]
     * @param k results per query, 1 to {@link #MAX_K}
     * @return ids and scores [Q, k]
     */
    default Hits search(Embeddings queries, int k) {
        return search(queries, k, null);
    }

    /**
     * Returns the numbers of rows, as a filter of searches wants them.
     *
     * @param ids which; unknown ones are passed over
     * @return a bit per row
     */
    BitSet rowsOf(long... ids);

    /**
     * Returns the numbers of rows of an index with {@link IndexOptions#stringIds()}.
     *
     * @param ids which; unknown ones are passed over
     * @return a bit per row
     */
    BitSet rowsOf(List<String> ids);

    /**
     * Returns how many rows can be found.
     *
     * @return N, without what was deleted
     */
    int size();

    /**
     * Returns how many rows have a number.
     *
     * @return N, with what was deleted
     */
    int rows();

    /**
     * Returns the length of the vectors.
     *
     * @return D
     */
    int dimension();

    /**
     * Returns what the index was made with.
     *
     * @return device, storage, similarity, ids
     */
    IndexOptions options();

    /**
     * Saves the index to a directory in one step: whoever opens it, after whatever crash, sees the old index or the new one.
     * Where the directory holds what this index was loaded from or saved as, only what is new is written. The format is
     * described in docs/index-format.md; Python's safetensors reads the vectors.
     *
     * @param directory made if it is not there
     * @throws EmbedException if it cannot be written, or was changed by somebody else since
     */
    void save(Path directory);

    /** Waits for searches under way and frees the memory. */
    @Override
    void close();

    /**
     * Collects {@link IndexOptions} and builds, loads or plans.
     *
     * <pre>{@code
     * try (VectorIndex index = VectorIndex.builder().storage(Precision.FP16).stringIds(true).build(2)) {
     *     index.add(List.of("east", "north"), new float[][] {{1, 0}, {0, 1}});
     *     Hits hits = index.search(new float[] {0.1f, 1}, 1);
     *     if (!hits.stringId(0, 0).equals("north")) throw new AssertionError();
     * }
     * }</pre>
     */
    final class Builder {
        private IndexOptions options = IndexOptions.defaults();

        private Builder() {}

        /**
         * Takes all options at once.
         *
         * @param options replaces what was set before
         * @return this
         */
        public Builder options(IndexOptions options) {
            this.options = options;
            return this;
        }

        /**
         * Names the device.
         *
         * @param device {@code auto}, {@code cpu}, {@code cuda:0}; only {@code auto} may step down
         * @return this
         */
        public Builder device(String device) {
            return options(options.withDevice(device));
        }

        /**
         * Sets how vectors are stored where they are scanned.
         *
         * @param storage fp32, fp16 or bf16
         * @return this
         */
        public Builder storage(Precision storage) {
            return options(options.withStorage(storage));
        }

        /**
         * Sets whether results are exact.
         *
         * @param exact false keeps nothing but the storage; results then have its error
         * @return this
         */
        public Builder exact(boolean exact) {
            return options(options.withExact(exact));
        }

        /**
         * Sets what is ranked by; a saved index has its own.
         *
         * @param similarity cosine or dot product
         * @return this
         */
        public Builder similarity(SimilarityFunction similarity) {
            return options(options.withSimilarity(similarity));
        }

        /**
         * Sets whether rows are named by strings; a saved index has its own.
         *
         * @param stringIds true for strings, false for numbers
         * @return this
         */
        public Builder stringIds(boolean stringIds) {
            return options(options.withStringIds(stringIds));
        }

        /**
         * Makes an empty index.
         *
         * @param dimension D
         * @return the index; the caller closes it
         * @throws DeviceUnavailableException if the device cannot be used
         */
        public VectorIndex build(int dimension) {
            return EmbedderFactory.find().index(dimension, options);
        }

        /**
         * Opens a saved index. On the CPU vectors are not copied: they are read from their files, which are mapped.
         *
         * @param directory what {@link VectorIndex#save} was given
         * @return the index; the caller closes it
         * @throws ModelFormatException if the directory holds no index, or a damaged one
         * @throws DeviceUnavailableException if the device cannot be used
         */
        public VectorIndex load(Path directory) {
            return EmbedderFactory.find().loadIndex(directory, options);
        }

        /**
         * Answers whether an index would fit.
         *
         * @param dimension D
         * @param rows N
         * @return the report
         * @throws DeviceUnavailableException if the device cannot be used
         */
        public IndexFit fit(int dimension, int rows) {
            return EmbedderFactory.find().fitIndex(dimension, rows, options);
        }
    }
}
