// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * The embedder was closed before or while the call ran.
 *
 * <pre>{@code
 * Embedder embedder = Embedder.builder().build();
 * embedder.close();
 * try {
 *     embedder.embed("too late");
 *     throw new AssertionError();
 * } catch (EmbedderClosedException e) {
 *     System.out.println(e.getMessage());
 * }
 * }</pre>
 *
 * @since 0.1
 */
public class EmbedderClosedException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /**
     * With a message.
     *
     * @param message what happened, the value seen, what would work
     */
    public EmbedderClosedException(String message) {
        super(HelpTopic.EMBEDDER_CLOSED, message);
    }

    /**
     * With a message and the failure behind it.
     *
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it
     */
    public EmbedderClosedException(String message, Throwable cause) {
        super(HelpTopic.EMBEDDER_CLOSED, message, cause);
    }
}
