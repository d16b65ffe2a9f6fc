// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * A text cannot be embedded: it is null, holds a lone surrogate, gives no token at all, or is too long under
 * {@link TruncationPolicy#ERROR}.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build()) {
 *     embedder.embed(List.of("fine", "broken \uD83D"));
 *     throw new AssertionError();
 * } catch (InvalidTextException e) {
 *     if (e.index() != 1) throw new AssertionError(e);
 * }
 * }</pre>
 *
 * @since 0.1
 */
public class InvalidTextException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /** The text's place in the call. */
    private final long index;

    /**
     * With the place of the text.
     *
     * @param index the text's place in the call, from 0
     * @param message what is wrong with it and what would work
     */
    public InvalidTextException(long index, String message) {
        this(HelpTopic.INVALID_TEXT, index, message);
    }

    /**
     * With a topic and the place of the text.
     *
     * @param helpTopic where the documentation says more
     * @param index the text's place in the call, from 0
     * @param message what is wrong with it and what would work
     */
    public InvalidTextException(HelpTopic helpTopic, long index, String message) {
        super(helpTopic, message);
        this.index = index;
    }

    /**
     * Returns which text it was.
     *
     * @return the text's place in the call, from 0
     */
    public long index() {
        return index;
    }
}
