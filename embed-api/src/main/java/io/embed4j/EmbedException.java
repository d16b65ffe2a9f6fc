// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import org.jspecify.annotations.Nullable;

/**
 * What embed4j throws when a model, a text or a device cannot be used. The message says what happened, the value that
 * was seen and what would work. Subclasses tell the cases apart, {@link #helpTopic()} names the section of the
 * documentation that says more; {@link #toString()}, and so every stack trace, ends with it.
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

    /** What the documentation says more about. */
    private final HelpTopic helpTopic;

    /**
     * With a message; the topic is {@link HelpTopic#ENCODER_FAILED}.
     *
     * @param message what happened, the value seen, what would work
     */
    public EmbedException(String message) {
        this(HelpTopic.ENCODER_FAILED, message);
    }

    /**
     * With a topic and a message.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     */
    public EmbedException(HelpTopic helpTopic, String message) {
        this(helpTopic, message, null);
    }

    /**
     * With a message and the failure behind it; the topic is {@link HelpTopic#ENCODER_FAILED}.
     *
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it; null if none
     */
    public EmbedException(String message, @Nullable Throwable cause) {
        this(HelpTopic.ENCODER_FAILED, message, cause);
    }

    /**
     * With a topic, a message and the failure behind it.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it; null if none
     */
    public EmbedException(HelpTopic helpTopic, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.helpTopic = helpTopic;
    }

    /**
     * Returns where the documentation says more.
     *
     * @return the topic
     */
    public final HelpTopic helpTopic() {
        return helpTopic;
    }

    /** The class, the message, and where the documentation says more. */
    @Override
    @SuppressWarnings("OverrideThrowableToString") // the message stands in dialogs and logs of others as it is
    public String toString() {
        return super.toString() + " See " + helpTopic.link();
    }
}
