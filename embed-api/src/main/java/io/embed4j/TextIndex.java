// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An embedder and an index together: texts in, texts found. Thread-safe, as both are; both stay their owner's to close. On the
 * same GPU, vectors go from one to the other there; only what is kept on the host, and what exact scores are computed from, comes
 * to the host.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build();
 *         VectorIndex index = VectorIndex.create(embedder.dimension())) {
 *     TextIndex texts = new TextIndex(embedder, index);
 *     texts.add(List.of("a cat sleeps", "stock prices fell"));
 *     Hits hits = texts.search("a dog naps", 1);
 *     if (hits.id(0, 0) != 0) throw new AssertionError();
 * }
 * }</pre>
 *
 * @since 0.1
 */
public final class TextIndex {
    private final Embedder embedder;
    private final VectorIndex index;
    private final EmbedOptions documentOptions;
    private final EmbedOptions queryOptions;

    /**
     * Texts that are added get the model's prompt for documents, texts that are searched for its prompt for queries.
     *
     * @param embedder makes vectors
     * @param index holds them
     * @throws IllegalArgumentException if their dimensions differ
     */
    public TextIndex(Embedder embedder, VectorIndex index) {
        this(
                embedder,
                index,
                EmbedOptions.defaults().withRole(TextRole.DOCUMENT),
                EmbedOptions.defaults().withRole(TextRole.QUERY));
    }

    /**
     * With options for each.
     *
     * @param embedder makes vectors
     * @param index holds them
     * @param documentOptions how texts are embedded that are added
     * @param queryOptions how texts are embedded that are searched for
     * @throws IllegalArgumentException if their dimensions differ
     */
    public TextIndex(Embedder embedder, VectorIndex index, EmbedOptions documentOptions, EmbedOptions queryOptions) {
        int dimension = documentOptions.dimension() > 0 ? documentOptions.dimension() : embedder.dimension();
        if (dimension != index.dimension()) {
            throw new IllegalArgumentException("The embedder makes vectors of " + dimension
                    + " numbers; the index holds vectors of " + index.dimension() + ".");
        }
        this.embedder = embedder;
        this.index = index;
        this.documentOptions = documentOptions;
        this.queryOptions = queryOptions;
    }

    /**
     * Adds texts; they get the ids that follow the largest one, from 0.
     *
     * @param texts N texts
     * @throws InvalidTextException if a text cannot be embedded; then none was added
     */
    public void add(List<String> texts) {
        try (VectorRows rows = embedded(texts, documentOptions)) {
            index.add(rows);
        }
    }

    /**
     * Adds texts under ids.
     *
     * @param ids [N], each new
     * @param texts N texts
     * @throws IllegalArgumentException if an id is there already or numbers differ
     * @throws InvalidTextException if a text cannot be embedded; then none was added
     */
    public void add(long[] ids, List<String> texts) {
        requireAsMany(ids.length, texts.size());
        try (VectorRows rows = embedded(texts, documentOptions)) {
            index.add(ids, rows);
        }
    }

    /**
     * Adds texts under ids, to an index with {@link IndexOptions#stringIds()}.
     *
     * @param ids [N], each new
     * @param texts N texts
     * @throws IllegalArgumentException if an id is there already or numbers differ
     * @throws InvalidTextException if a text cannot be embedded; then none was added
     */
    public void add(List<String> ids, List<String> texts) {
        requireAsMany(ids.size(), texts.size());
        try (VectorRows rows = embedded(texts, documentOptions)) {
            index.add(ids, rows);
        }
    }

    /**
     * Finds the texts nearest to a text.
     *
     * @param text the query
     * @param k results, 1 to {@link VectorIndex#MAX_K}
     * @return ids and scores [1, k]
     */
    public Hits search(String text, int k) {
        return search(text, k, null);
    }

    /**
     * Finds the texts nearest to a text, among some.
     *
     * @param text the query
     * @param k results, 1 to {@link VectorIndex#MAX_K}
     * @param filter numbers of the rows that may be found, as {@link VectorIndex#rowsOf} tells them; null for all
     * @return ids and scores [1, k]
     */
    public Hits search(String text, int k, @Nullable BitSet filter) {
        return search(Collections.singletonList(text), k, filter);
    }

    /**
     * Finds the texts nearest to each of several.
     *
     * @param texts Q queries
     * @param k results per query, 1 to {@link VectorIndex#MAX_K}
     * @return ids and scores [Q, k]
     */
    public Hits search(List<String> texts, int k) {
        return search(texts, k, null);
    }

    /**
     * Finds the texts nearest to each of several, among some.
     *
     * @param texts Q queries
     * @param k results per query, 1 to {@link VectorIndex#MAX_K}
     * @param filter numbers of the rows that may be found, as {@link VectorIndex#rowsOf} tells them; null for all
     * @return ids and scores [Q, k]
     * @throws InvalidTextException if a text cannot be embedded
     */
    public Hits search(List<String> texts, int k, @Nullable BitSet filter) {
        try (VectorRows queries = embedded(texts, queryOptions)) {
            return index.search(queries, k, filter);
        }
    }

    private static void requireAsMany(int ids, int texts) {
        if (ids != texts) {
            throw new IllegalArgumentException("There are " + ids + " ids for " + texts + " texts.");
        }
    }

    private VectorRows embedded(List<String> texts, EmbedOptions options) {
        return embedder.embedRows(texts.iterator(), options, ProgressListener.NONE);
    }
}
