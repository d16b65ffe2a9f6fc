// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import org.jspecify.annotations.Nullable;

/**
 * What embed4j throws when a model, a text or a device cannot be used. The message says what happened, the value that
 * was seen and what would work. Subclasses tell the cases apart.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().model("/no/such/directory").build()) {
 *     throw new AssertionError(embedder);
 * } catch (EmbedException e) {
 *     System.out.println(e.getMessage());
 * }
 * }</pre>
 *
 * @since 0.1
 */
public class EmbedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * With a message.
     *
     * @param message what happened, the value seen, what would work
     */
    public EmbedException(String message) {
        super(message);
    }

    /**
     * With a message and the failure behind it.
     *
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it; null if none
     */
    public EmbedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
