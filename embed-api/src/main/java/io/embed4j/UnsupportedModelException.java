// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * A model, or an option for it, is understood but cannot be honoured: an unknown family, a feature or a precision that the
 * backend does not offer. The message names it and what is offered.
 *
 * <pre>{@code
 * try {
 *     Embedder.builder().device("cpu").precision(Precision.BF16).build();
 *     throw new AssertionError();
 * } catch (UnsupportedModelException e) {
 *     System.out.println(e.getMessage());
 * }
 * }</pre>
 *
 * @since 0.1
 */
public class UnsupportedModelException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /**
     * With a message; the topic is {@link HelpTopic#UNSUPPORTED_MODEL}.
     *
     * @param message what happened, the value seen, what would work
     */
    public UnsupportedModelException(String message) {
        super(HelpTopic.UNSUPPORTED_MODEL, message);
    }

    /**
     * With a topic and a message.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     */
    public UnsupportedModelException(HelpTopic helpTopic, String message) {
        super(helpTopic, message);
    }

    /**
     * With a message and the failure behind it; the topic is {@link HelpTopic#UNSUPPORTED_MODEL}.
     *
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it
     */
    public UnsupportedModelException(String message, Throwable cause) {
        super(HelpTopic.UNSUPPORTED_MODEL, message, cause);
    }

    /**
     * With a topic, a message and the failure behind it.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it
     */
    public UnsupportedModelException(HelpTopic helpTopic, String message, Throwable cause) {
        super(helpTopic, message, cause);
    }
}
