// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * A model's files are missing, damaged or contradict each other.
 *
 * <pre>{@code
 * try {
 *     Embedder.builder().model("/no/such/directory").build();
 *     throw new AssertionError();
 * } catch (ModelFormatException e) {
 *     System.out.println(e.getMessage());
 * }
 * }</pre>
 *
 * @since 0.1
 */
public class ModelFormatException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /**
     * With a message; the topic is {@link HelpTopic#MODEL_FORMAT}.
     *
     * @param message what happened, the value seen, what would work
     */
    public ModelFormatException(String message) {
        super(HelpTopic.MODEL_FORMAT, message);
    }

    /**
     * With a topic and a message.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     */
    public ModelFormatException(HelpTopic helpTopic, String message) {
        super(helpTopic, message);
    }

    /**
     * With a message and the failure behind it; the topic is {@link HelpTopic#MODEL_FORMAT}.
     *
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it
     */
    public ModelFormatException(String message, Throwable cause) {
        super(HelpTopic.MODEL_FORMAT, message, cause);
    }

    /**
     * With a topic, a message and the failure behind it.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it
     */
    public ModelFormatException(HelpTopic helpTopic, String message, Throwable cause) {
        super(helpTopic, message, cause);
    }
}
