// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextInputTest {
    @TempDir
    private Path directory;

    @Test
    void everyLineIsAText() throws IOException {
        assertThat(lines("")).isEmpty();
        assertThat(lines("\n")).containsExactly("");
        assertThat(lines("a")).containsExactly("a");
        assertThat(lines("a\n")).containsExactly("a");
        assertThat(lines("a\n\n b \n\n")).containsExactly("a", "", " b ", "");
        assertThat(lines("a\r\n\r\nb\r\n")).containsExactly("a", "", "b");
        assertThat(lines("a\rb\n\r\r\n")).containsExactly("a\rb", "\r");
        assertThat(lines("a\r")).containsExactly("a\r");
        assertThat(lines("x\u2028y\u0085z\n")).containsExactly("x\u2028y\u0085z");
    }

    @Test
    void aByteOrderMarkIsNoText() throws IOException {
        assertThat(lines("\uFEFFa\n\uFEFFb")).containsExactly("a", "\uFEFFb");
        assertThat(lines("\uFEFF")).containsExactly("");
        assertThat(read(write("a.jsonl", "\uFEFF{\"text\":\"a\"}"), null)).containsExactly("a");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 65535, 65536, 65537, 131072, 1_000_003})
    void linesMayBeLongerThanTheBuffer(int length) throws IOException {
        String line = "\u00e9".repeat(length);
        assertThat(lines(line + "\nb\n" + line)).containsExactly(line, "b", line);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7})
    void readsHoweverBytesArrive(int bytesAtATime) {
        byte[] bytes = "one\r\n\r\ntwo \uD83D\uDE00\n".getBytes(StandardCharsets.UTF_8);
        InputStream slow = new ByteArrayInputStream(bytes) {
            @Override
            public synchronized int read(byte[] buffer, int offset, int length) {
                return super.read(buffer, offset, Math.min(length, bytesAtATime));
            }
        };
        try (TextInput input = TextInput.open("-", null, slow)) {
            assertThat(input).toIterable().containsExactly("one", "", "two \uD83D\uDE00");
        }
    }

    @Test
    void bytesThatAreNotUtf8AreNamed() throws IOException {
        Path latin1 = directory.resolve("latin1.txt");
        Files.write(latin1, "good\ncaf\u00e9 au lait\n".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> read(latin1, null))
                .isInstanceOf(CliException.class)
                .hasMessage(latin1 + ", line 2: byte 4 of the line, 0xE9, is not UTF-8."
                        + " Convert the file first, for instance: iconv -f ISO-8859-1 -t UTF-8");

        Path utf16 = directory.resolve("utf16.txt");
        Files.write(utf16, "text\n".getBytes(StandardCharsets.UTF_16));
        assertThatThrownBy(() -> read(utf16, null))
                .hasMessage(utf16 + ", line 1: byte 1 of the line, 0xFE, is not UTF-8."
                        + " Convert the file first, for instance: iconv -f UTF-16 -t UTF-8");

        Path cut = directory.resolve("cut.txt");
        Files.write(cut, new byte[] {'a', '\n', 'b', (byte) 0xE2, (byte) 0x82});
        assertThatThrownBy(() -> read(cut, null)).hasMessageContaining("line 2: byte 2 of the line, 0xE2");

        Path surrogate = directory.resolve("surrogate.txt");
        Files.write(surrogate, new byte[] {(byte) 0xED, (byte) 0xA0, (byte) 0x80, '\n'});
        assertThatThrownBy(() -> read(surrogate, null)).hasMessageContaining("line 1: byte 1 of the line, 0xED");
    }

    @Test
    void theReplacementCharacterItselfIsText() throws IOException {
        assertThat(lines("a\uFFFDb\n")).containsExactly("a\uFFFDb");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    {"text":"b"            | the JSON object does not end on this line.
                    {"text":"b"} {}        | malformed JSON near column 15.
                    {text:"b"}             | malformed JSON near column 3.
                    {"text":"\\x"}         | malformed JSON near column 12.
                    {"text":NaN}           | malformed JSON near column 9.
                    plain words            | malformed JSON near column 1.
                    "text"                 | the line is a string, expected a JSON object.
                    ["text"]               | the line is an array, expected a JSON object.
                    {"text":null}          | the field "text" is null, expected a string.
                    {"text":["b"]}         | the field "text" is an array, expected a string.
                    {"text":1}             | the field "text" is a number, expected a string.
                    {"text":"b","text":""} | the field "text" occurs twice.
                    {"id":1,"Text":"b"}    | no field "text"; the object has "id", "Text". Name one with --field.
                    {}                     | no field "text"; the object has no fields.
                    """)
    void badJsonIsNamed(String line, String message) throws IOException {
        Path file = write("a.jsonl", "{\"text\":\"a\"}\n" + line + "\n{\"text\":\"c\"}\n");
        assertThatThrownBy(() -> read(file, null))
                .isInstanceOf(CliException.class)
                .hasMessage(file + ", line 2: " + message);
    }

    @Test
    void blankLinesOfJsonAreRefusedWhereTheyWouldShiftRows() throws IOException {
        assertThat(read(write("a.jsonl", "{\"text\":\"a\"}\n\n \n"), null)).containsExactly("a");
        Path shifted = write("b.jsonl", "{\"text\":\"a\"}\n\n\n{\"text\":\"b\"}\n");
        assertThatThrownBy(() -> read(shifted, null))
                .hasMessage(shifted + ", line 2: the line is blank. Every line must be a JSON object.");
    }

    @Test
    void readsAnyField() throws IOException {
        Path file = write("a.jsonl", "{\"a\":{\"b\":[1,{}]},\"b\":\"\\u00e9\\n\",\"c\":null}\n");
        assertThat(read(file, "b")).containsExactly("\u00e9\n");
    }

    @Test
    void countsLines() throws IOException {
        for (String content : new String[] {"", "\n", "a", "a\n", "a\nb", "a\n\n"}) {
            Path file = write("count.txt", content);
            try (TextInput input = TextInput.open(file.toString(), null, InputStream.nullInputStream())) {
                assertThat(input.countLines()).isEqualTo(lines(content).size());
            }
        }
        try (TextInput input = TextInput.open("-", null, InputStream.nullInputStream())) {
            assertThat(input.countLines()).isZero();
        }
    }

    private List<String> lines(String content) throws IOException {
        return read(write("lines.txt", content), null);
    }

    private Path write(String name, String content) throws IOException {
        return Files.writeString(directory.resolve(name), content);
    }

    private static List<String> read(Path file, @Nullable String field) {
        try (TextInput input = TextInput.open(file.toString(), field, InputStream.nullInputStream())) {
            List<String> texts = new ArrayList<>();
            input.forEachRemaining(texts::add);
            return texts;
        }
    }
}
