// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * The device that was asked for cannot be used; the message gives the reason and the remedy.
 *
 * <pre>{@code
 * try {
 *     Embedder.builder().device("cuda:99").build();
 *     throw new AssertionError();
 * } catch (DeviceUnavailableException e) {
 *     System.out.println(e.getMessage());
 * }
 * }</pre>
 *
 * @since 0.1
 */
public class DeviceUnavailableException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /**
     * With a message; the topic is {@link HelpTopic#DEVICE_UNAVAILABLE}.
     *
     * @param message what happened, the value seen, what would work
     */
    public DeviceUnavailableException(String message) {
        super(HelpTopic.DEVICE_UNAVAILABLE, message);
    }

    /**
     * With a topic and a message.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     */
    public DeviceUnavailableException(HelpTopic helpTopic, String message) {
        super(helpTopic, message);
    }

    /**
     * With a message and the failure behind it; the topic is {@link HelpTopic#DEVICE_UNAVAILABLE}.
     *
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it
     */
    public DeviceUnavailableException(String message, Throwable cause) {
        super(HelpTopic.DEVICE_UNAVAILABLE, message, cause);
    }

    /**
     * With a topic, a message and the failure behind it.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it
     */
    public DeviceUnavailableException(HelpTopic helpTopic, String message, Throwable cause) {
        super(helpTopic, message, cause);
    }
}
