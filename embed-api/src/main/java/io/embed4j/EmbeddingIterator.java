// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.Iterator;

/**
 * The vectors of a stream of texts, [B, D] for some hundred texts at a time. Texts are embedded ahead of who reads: who stops
 * before the end closes it, or some thousand texts are still embedded for nobody. At the end, or after a failure, there is
 * nothing to close, and closing does no harm. For one thread at a time.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build();
 *         EmbeddingIterator vectors = embedder.stream(java.util.Collections.nCopies(100_000, "a text").iterator())) {
 *     Embeddings first = vectors.next();
 *     System.out.println(first.size() + " of many");
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface EmbeddingIterator extends Iterator<Embeddings>, AutoCloseable {

    /** Drops the texts that were read and not handed out yet; there are no further vectors. */
    @Override
    void close();
}
