// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.HelpTopic;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Ends the command with one line on stderr and an exit code. */
final class CliException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Exit code when the command could not do its work. */
    static final int FAILED = 1;

    /** Exit code when the command line cannot be meant. */
    static final int USAGE = 2;

    /** Exit code when nobody reads stdout any more: what shells show for a filter that SIGPIPE (13) ended. */
    static final int NO_READER = 128 + 13;

    private final int exitCode;
    private final @Nullable HelpTopic helpTopic;

    private CliException(int exitCode, @Nullable HelpTopic helpTopic, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
        this.helpTopic = helpTopic;
    }

    /**
     * The arguments cannot be honoured.
     *
     * @param message the value we saw and what would work
     */
    static CliException usage(String message) {
        return new CliException(USAGE, null, message, null);
    }

    /**
     * The arguments are fine, the world is not.
     *
     * @param helpTopic where the documentation says more
     * @param message what happened, the value we saw and what would work
     * @param cause the failure behind it, for {@code --verbose}
     */
    static CliException failed(HelpTopic helpTopic, String message, @Nullable Throwable cause) {
        return new CliException(FAILED, helpTopic, message, cause);
    }

    /**
     * Standard output cannot be written. Where its reader has gone, as in {@code embed ... | head -1}, nobody is told: that
     * is how filters end.
     *
     * @param cause what the system said
     */
    static CliException ofStandardOutput(IOException cause) {
        String message = "Cannot write to standard output: " + Reason.of(cause);
        int exitCode = "Broken pipe".equals(cause.getMessage()) ? NO_READER : FAILED;
        return new CliException(exitCode, HelpTopic.CANNOT_WRITE, message, cause);
    }

    int exitCode() {
        return exitCode;
    }

    /** Where the documentation says more; null for a slip on the command line, where --help does. */
    @Nullable
    HelpTopic helpTopic() {
        return helpTopic;
    }
}
