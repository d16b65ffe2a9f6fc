// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The vectors of {@code --output}: a file that appears whole at {@link #commit()} or not at all, or stdout. */
final class VectorOutput implements AutoCloseable {
    /** {@code --output} for .jsonl on stdout. */
    static final String STANDARD_OUTPUT = "-";

    private final String name;
    private final OutputFormat format;
    private final @Nullable AtomicFile file;
    private final OutputStream standardOutput;
    private @Nullable VectorWriter writer;

    private VectorOutput(String name, OutputFormat format, @Nullable AtomicFile file, OutputStream standardOutput) {
        this.name = name;
        this.format = format;
        this.file = file;
        this.standardOutput = standardOutput;
    }

    /**
     * Opens the output, before anything costly happens.
     *
     * @param argument a file, or {@code -}
     * @param input what it must not overwrite
     * @param standardOutput what {@code -} stands for; stays open
     * @throws CliException if the format is unknown or the file cannot be written
     */
    static VectorOutput open(String argument, TextInput input, OutputStream standardOutput) {
        if (argument.equals(STANDARD_OUTPUT)) {
            return new VectorOutput("standard output", OutputFormat.JSONL, null, standardOutput);
        }
        OutputFormat format = OutputFormat.of(argument);
        Path target = Path.of(argument);
        Path directory = target.toAbsolutePath().getParent();
        try {
            if (directory == null || !Files.isDirectory(directory)) {
                throw CliException.failed(
                        HelpTopic.CANNOT_WRITE,
                        "--output " + argument + ": the directory " + directory + " does not exist.",
                        null);
            }
            if (Files.exists(target)) {
                refuseInput(target, argument, input);
            }
            return new VectorOutput(argument, format, AtomicFile.create(target), standardOutput);
        } catch (IOException e) {
            throw CliException.failed(
                    HelpTopic.CANNOT_WRITE, "--output " + argument + " cannot be written: " + Reason.of(e), e);
        }
    }

    /**
     * Starts the output.
     *
     * @param dimension D
     */
    void begin(int dimension) {
        try {
            writer = file == null ? new JsonlWriter(standardOutput) : format.writer(file.channel(), dimension);
        } catch (IOException e) {
            throw broken(e);
        }
    }

    /**
     * Appends rows.
     *
     * @param chunk [n, D]
     */
    void write(Embeddings chunk) {
        try {
            begun().write(chunk);
        } catch (IOException e) {
            throw broken(e);
        }
    }

    /** Completes the output; a file appears now. */
    void commit() {
        try {
            begun().finish();
            if (file != null) {
                file.commit();
            }
        } catch (IOException e) {
            throw broken(e);
        }
    }

    @Override
    public void close() {
        try {
            if (file != null) {
                file.close();
            }
        } catch (IOException e) {
            throw broken(e);
        }
    }

    private VectorWriter begun() {
        if (writer == null) {
            throw new IllegalStateException("begin() comes first");
        }
        return writer;
    }

    private CliException broken(IOException e) {
        return file == null
                ? CliException.ofStandardOutput(e)
                : CliException.failed(HelpTopic.CANNOT_WRITE, "Cannot write to " + name + ": " + Reason.of(e), e);
    }

    private static void refuseInput(Path target, String argument, TextInput input) throws IOException {
        if (input.file() != null && Files.isSameFile(input.file(), target)) {
            throw CliException.usage("--output " + argument + " is the input file. Name another file.");
        }
        if (!Files.isRegularFile(target)) {
            throw CliException.failed(
                    HelpTopic.CANNOT_WRITE, "--output " + argument + " exists and is no regular file.", null);
        }
    }
}
