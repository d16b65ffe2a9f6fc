// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * What happens to a text with more tokens than the model takes. Nothing is cut without saying so: see
 * {@link Embeddings#truncated(int)}.
 *
 * <pre>{@code
 * EmbedOptions strict = EmbedOptions.defaults().withTruncation(TruncationPolicy.ERROR);
 * }</pre>
 *
 * @since 0.1
 */
public enum TruncationPolicy {
    /** The first tokens are used, special tokens kept. */
    TRUNCATE,
    /** {@link InvalidTextException}. */
    ERROR,
    /** The text is cut in chunks; the result is the mean of their vectors weighted by token count, normalized again. */
    CHUNK
}
