// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** An answer that may be another one the next time. */
final class TransientFailure extends IOException {
    private static final long serialVersionUID = 1L;

    private final @Nullable Duration retryAfter;

    /**
     * With a message.
     *
     * @param message what was answered
     * @param retryAfter when the Hub wants to be asked again; null if it did not say
     */
    TransientFailure(String message, @Nullable Duration retryAfter) {
        super(message);
        this.retryAfter = retryAfter;
    }

    @Nullable
    Duration retryAfter() {
        return retryAfter;
    }
}
