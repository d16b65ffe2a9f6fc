// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.InputStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say where a text and its id stand in the lines of a file, and the way to such a file. */
final class TextFields {

    @Option(
            names = "--field",
            paramLabel = "NAME",
            description = "The field of a .jsonl line that holds the text. Default: text.")
    private @Nullable String field;

    @Option(
            names = "--id-field",
            paramLabel = "NAME",
            description = "The field of a .jsonl line that holds the id, a string or a whole number. Default:"
                    + " ${DEFAULT-VALUE}.")
    private String idField = "id";

    /**
     * Opens a file of texts that have ids.
     *
     * @param option the option that names it, for messages
     * @param argument what the option says
     * @param standardInput what {@code -} stands for; stays open
     * @throws CliException if the format is unknown or the file cannot be opened
     */
    TextInput open(String option, String argument, InputStream standardInput) {
        return TextInput.open(option, argument, field, idField, standardInput);
    }
}
