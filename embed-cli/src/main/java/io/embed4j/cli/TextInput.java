// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.HelpTopic;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/**
 * The texts of {@code --input} or {@code --texts}, pulled one by one: a line each of a .txt file or of stdin, or a field of each line of a
 * .jsonl file. Whatever is wrong is said with its file and line.
 */
final class TextInput implements Iterator<String>, AutoCloseable {
    private static final String STANDARD_INPUT = "-";
    private static final String DEFAULT_FIELD = "text";

    private final String name;
    private final @Nullable Path file;
    private final @Nullable String field;
    private final @Nullable String idField;
    private final LineReader lines;
    private @Nullable String nextText;
    private String nextId = "";
    private String id = "";

    private TextInput(
            String name, @Nullable Path file, @Nullable String field, @Nullable String idField, InputStream in) {
        this.name = name;
        this.file = file;
        this.field = field;
        this.idField = idField;
        this.lines = new LineReader(in);
    }

    /**
     * Opens the input.
     *
     * @param argument a file, or {@code -}
     * @param field {@code --field}; null if it was not given
     * @param standardInput what {@code -} stands for; stays open
     * @throws CliException if the format is unknown or the file cannot be opened
     */
    static TextInput open(String argument, @Nullable String field, InputStream standardInput) {
        return open("--input", argument, field, null, standardInput);
    }

    /**
     * Opens an input whose texts have ids: those of a field of a .jsonl file, else the numbers of their lines.
     *
     * @param option the option that names it, for messages
     * @param argument a file, or {@code -}
     * @param field {@code --field}; null if it was not given
     * @param idField the field that holds the id; null if nobody asks for ids
     * @param standardInput what {@code -} stands for; stays open
     * @throws CliException if the format is unknown or the file cannot be opened
     */
    static TextInput open(
            String option,
            String argument,
            @Nullable String field,
            @Nullable String idField,
            InputStream standardInput) {
        boolean jsonLines = argument.toLowerCase(Locale.ROOT).endsWith(".jsonl");
        if (field != null && !jsonLines) {
            throw CliException.usage("--field " + field + " is for .jsonl input; " + option + " is " + argument + ".");
        }
        if (argument.equals(STANDARD_INPUT)) {
            return new TextInput("standard input", null, null, null, unclosable(standardInput));
        }
        Path file = Path.of(argument);
        if (Files.isDirectory(file)) {
            throw CliException.failed(
                    HelpTopic.CANNOT_READ,
                    option + " " + argument + " is a directory. Name a .txt or .jsonl file.",
                    null);
        }
        if (!jsonLines && !argument.toLowerCase(Locale.ROOT).endsWith(".txt")) {
            throw CliException.usage("Unknown input format: " + option + " " + argument
                    + ". Use a .txt or .jsonl file, or - for text lines on stdin.");
        }
        try {
            String fieldName = field == null ? DEFAULT_FIELD : field;
            return new TextInput(
                    argument,
                    file,
                    jsonLines ? fieldName : null,
                    jsonLines ? idField : null,
                    Files.newInputStream(file));
        } catch (NoSuchFileException e) {
            throw CliException.failed(HelpTopic.CANNOT_READ, option + " " + argument + " does not exist.", e);
        } catch (IOException e) {
            throw CliException.failed(
                    HelpTopic.CANNOT_READ, option + " " + argument + " cannot be read: " + Reason.of(e), e);
        }
    }

    /** The file behind it; null for stdin. */
    @Nullable
    Path file() {
        return file;
    }

    /**
     * Says where a text stands.
     *
     * @param index the text's place among all texts, from 0
     * @return for instance {@code corpus.txt, line 1}
     */
    String place(long index) {
        return name + ", line " + (index + 1);
    }

    /** The id of the text that was returned last: its field, or the number of its line, from 1. */
    String id() {
        return id;
    }

    /** Counts the lines of a file in a pass of its own; 0 if that cannot be done. */
    long countLines() {
        if (file == null || !Files.isRegularFile(file)) {
            return 0;
        }
        long count = 0;
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[1 << 16];
            byte last = '\n';
            for (int length = in.read(buffer); length > 0; length = in.read(buffer)) {
                for (int i = 0; i < length; i++) {
                    count += buffer[i] == '\n' ? 1 : 0;
                }
                last = buffer[length - 1];
            }
            return last == '\n' ? count : count + 1;
        } catch (IOException e) {
            return 0; // reading the texts will say what is wrong
        }
    }

    @Override
    public boolean hasNext() {
        if (nextText == null) {
            nextText = read();
        }
        return nextText != null;
    }

    @Override
    public String next() {
        if (!hasNext() || nextText == null) {
            throw new NoSuchElementException();
        }
        String text = nextText;
        id = nextId;
        nextText = null;
        return text;
    }

    @Override
    public void close() {
        try {
            lines.close();
        } catch (IOException e) {
            throw CliException.failed(HelpTopic.CANNOT_READ, name + " cannot be closed: " + Reason.of(e), e);
        }
    }

    private @Nullable String read() {
        try {
            String line = lines.next();
            nextId = Long.toString(lines.lineNumber());
            return line == null || field == null ? line : readField(line, field);
        } catch (LineReader.MalformedLineException e) {
            throw CliException.failed(
                    HelpTopic.CANNOT_READ, name + ", line " + lines.lineNumber() + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw CliException.failed(HelpTopic.CANNOT_READ, name + " cannot be read: " + Reason.of(e), e);
        }
    }

    /** Blank lines at the end of a .jsonl file are no texts; elsewhere they would shift all that follow. */
    private @Nullable String readField(String line, String field) throws IOException {
        long blankLine = 0;
        @Nullable String object = line;
        while (object != null && object.isBlank()) {
            blankLine = blankLine == 0 ? lines.lineNumber() : blankLine;
            object = lines.next();
        }
        if (object == null) {
            return null;
        }
        if (blankLine > 0) {
            throw CliException.failed(
                    HelpTopic.CANNOT_READ,
                    name + ", line " + blankLine + ": the line is blank. Every line must be a JSON object.",
                    null);
        }
        if (idField != null) {
            nextId = JsonField.readId(object, idField);
        }
        return JsonField.read(object, field);
    }

    private static InputStream unclosable(InputStream in) {
        return new FilterInputStream(in) {
            @Override
            public void close() {}
        };
    }
}
