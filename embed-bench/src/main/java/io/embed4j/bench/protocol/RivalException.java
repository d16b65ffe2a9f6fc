// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import java.io.Serial;

/** A rival refused, failed, or went away. */
public final class RivalException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String reason;

    /** Says what happened; the rival's name is in front where it is printed. */
    public RivalException(String reason) {
        super(reason);
        this.reason = reason;
    }

    /** What happened. */
    public String reason() {
        return reason;
    }
}
