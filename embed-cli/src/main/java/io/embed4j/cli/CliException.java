// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import org.jspecify.annotations.Nullable;

/** Ends the command with one line on stderr and an exit code. */
final class CliException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Exit code when the command could not do its work. */
    static final int FAILED = 1;

    /** Exit code when the command line cannot be meant. */
    static final int USAGE = 2;

    private final int exitCode;

    private CliException(int exitCode, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    /**
     * The arguments cannot be honoured.
     *
     * @param message the value we saw and what would work
     */
    static CliException usage(String message) {
        return new CliException(USAGE, message, null);
    }

    /**
     * The arguments are fine, the world is not.
     *
     * @param message what happened, the value we saw and what would work
     * @param cause the failure behind it, for {@code --verbose}
     */
    static CliException failed(String message, @Nullable Throwable cause) {
        return new CliException(FAILED, message, cause);
    }

    int exitCode() {
        return exitCode;
    }
}
