// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import org.jspecify.annotations.Nullable;

/**
 * A model could not be brought from the Hugging Face Hub. Nothing that was downloaded in part is ever used; the next try
 * goes on from there. {@link #helpTopic()} tells the cases apart: {@link HelpTopic#MODEL_NOT_FOUND},
 * {@link HelpTopic#HUB_ACCESS}, {@link HelpTopic#HUB_UNREACHABLE}, {@link HelpTopic#HUB_OFFLINE},
 * {@link HelpTopic#HUB_DOWNLOAD}.
 *
 * <pre>{@code
 * try {
 *     Embedder.builder().model("hf:no such name").build();
 *     throw new AssertionError();
 * } catch (ModelDownloadException e) {
 *     if (e.helpTopic() != HelpTopic.MODEL_NOT_FOUND) throw e;
 * }
 * }</pre>
 *
 * @since 0.1
 */
public class ModelDownloadException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /**
     * With a topic and a message.
     *
     * @param helpTopic which case it is
     * @param message what happened, the value seen, what would work
     */
    public ModelDownloadException(HelpTopic helpTopic, String message) {
        super(helpTopic, message);
    }

    /**
     * With a topic, a message and the failure behind it.
     *
     * @param helpTopic which case it is
     * @param message what happened, the value seen, what would work
     * @param cause the failure behind it; null if none
     */
    public ModelDownloadException(HelpTopic helpTopic, String message, @Nullable Throwable cause) {
        super(helpTopic, message, cause);
    }
}
