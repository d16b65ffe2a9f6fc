// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.EmbedOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EncodeCommandTest {
    @TempDir
    private Path directory;

    @Test
    void encodesALineEach() throws IOException {
        Path output = directory.resolve("vectors.npy");
        Run run = encode(write("a.txt", "one\n\nthree words here\n"), output);

        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).matches("3 texts, 10 tokens, \\d+\\.\\d\\d s, \\d+\\.\\d texts/s\\R");
        assertThat(npyRows(output)).containsExactly(vector("one"), vector(""), vector("three words here"));
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void encodesAFieldOfEachObject() throws IOException {
        Path input = write("a.jsonl", "{\"id\":1,\"body\":\"one\"}\n{\"body\":\"t\\u0077o\",\"text\":7}\n\n");
        Run run = Run.of("encode", "-i", input.toString(), "-o", "-", "--field", "body");

        assertThat(run.exitCode()).isZero();
        List<String> lines = run.outLines();
        assertThat(lines).hasSize(2);
        JsonObject second = JsonParser.parseString(lines.get(1)).getAsJsonObject();
        assertThat(second.get("index").getAsInt()).isEqualTo(1);
        assertThat(second.get("tokens").getAsInt()).isEqualTo(3);
        assertThat(second.get("truncated").getAsBoolean()).isFalse();
        assertThat(second.getAsJsonArray("embedding").get(0).getAsFloat()).isEqualTo(3);
    }

    @Test
    void encodesStandardInput() {
        Run run = Run.withInput("one\r\ntwo", "encode", "--input", "-", "--output", "-");

        assertThat(run.exitCode()).isZero();
        assertThat(run.outLines()).hasSize(2);
        assertThat(run.outLines().get(0))
                .startsWith("{\"index\":0,\"tokens\":3,\"truncated\":false,\"embedding\":[3.0,");
    }

    @Test
    void anEmptyInputGivesAFileWithoutRows() throws IOException {
        Path output = directory.resolve("vectors.npy");
        Run run = Run.of("encode", "-i", write("a.txt", "").toString(), "-o", output.toString(), "--dimension", "2");

        assertThat(run.exitCode()).isZero();
        assertThat(run.err()).startsWith("0 texts, 0 tokens, ");
        assertThat(Files.readString(output, StandardCharsets.ISO_8859_1)).contains("'shape': (0, 2)");
        assertThat(Files.size(output)).isEqualTo(128);
    }

    @Test
    void anOptionThatTheModelCannotHonourIsRefusedWithoutTextsToo() throws IOException {
        Path output = directory.resolve("v.npy");
        Run run = Run.of("encode", "-i", write("a.txt", "").toString(), "-o", output.toString(), "--dimension", "5");

        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.errLines()).containsExactly("embed: The dimension 5 is larger than 4.");
        assertThat(output).doesNotExist();
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void saysWhatWasCut() throws IOException {
        Run run = encode(write("a.txt", "1 2 3 4 5 6 7\n1 2 3 4 5 6 7 8\nshort\n"), directory.resolve("v.jsonl"));

        assertThat(run.errLines()).hasSize(2);
        assertThat(run.errLines().get(0)).startsWith("3 texts, 19 tokens, ");
        assertThat(run.errLines().get(1))
                .isEqualTo("2 of 3 texts were cut to 8 tokens (use --truncation chunk or error)");
    }

    @Test
    void namesTheLineThatCannotBeEmbedded() throws IOException {
        Path input = write("a.txt", "one\ntwo\nthree\nfour\n" + FakeEmbedder.REFUSED + "\n");
        Run run = encode(input, directory.resolve("v.npy"));

        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.errLines())
                .containsExactly("embed: " + input + ", line 5: the text is refused."
                        + " See docs/troubleshooting.md#invalid-text");
        assertThat(leftovers()).isEmpty();
        assertThat(directory.resolve("v.npy")).doesNotExist();
    }

    @Test
    void aFailureKeepsTheOldOutput() throws IOException {
        Path output = write("v.jsonl", "old");
        Run run = encode(write("a.jsonl", "{\"text\":\"one\"}\n{\"text\":2}\n"), output);

        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err()).contains("a.jsonl, line 2: the field \"text\" is a number, expected a string.");
        assertThat(Files.readString(output)).isEqualTo("old");
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void refusesBeforeTheModelIsLoaded() throws IOException {
        Path text = write("a.txt", "one\n");
        Path json = write("a.jsonl", "{}\n");
        Path missing = directory.resolve("missing.txt");
        String npy = directory.resolve("v.npy").toString();
        Path absent = directory.resolve("absent");

        assertRefused(
                2,
                "Unknown output format: --output v.bin. Use a .npy, .safetensors or .jsonl file, or - for .jsonl on stdout.",
                text,
                "v.bin");
        assertRefused(
                2,
                "Unknown input format: --input a.csv. Use a .txt or .jsonl file, or - for text lines on stdin.",
                Path.of("a.csv"),
                npy);
        assertRefused(2, "--output " + json + " is the input file. Name another file.", json, json.toString());
        assertRefused(2, "--field f is for .jsonl input; --input is " + text + ".", text, npy, "--field", "f");
        assertRefused(
                1, "--input " + missing + " does not exist. See docs/troubleshooting.md#cannot-read", missing, npy);
        assertRefused(
                1,
                "--output " + absent.resolve("v.npy") + ": the directory " + absent + " does not exist."
                        + " See docs/troubleshooting.md#cannot-write",
                text,
                absent.resolve("v.npy").toString());
        Path folder = Files.createDirectory(directory.resolve("folder.npy"));
        assertRefused(
                1,
                "--output " + folder + " exists and is no regular file. See docs/troubleshooting.md#cannot-write",
                text,
                folder.toString());
        assertRefused(
                1,
                "--input " + directory + "/in.txt is a directory. Name a .txt or .jsonl file."
                        + " See docs/troubleshooting.md#cannot-read",
                Files.createDirectory(directory.resolve("in.txt")),
                npy);
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void aSymbolicLinkKeepsPointing() throws IOException {
        Path real = write("real.npy", "old");
        Path link = Files.createSymbolicLink(directory.resolve("link.npy"), real);
        Run run = encode(write("a.txt", "one\n"), link);

        assertThat(run.exitCode()).isZero();
        assertThat(link).isSymbolicLink();
        assertThat(npyRows(real)).containsExactly(vector("one"));
    }

    private static void assertRefused(int exitCode, String message, Path input, String output, String... more) {
        Run run = Run.of(Stream.concat(Stream.of("encode", "-i", input.toString(), "-o", output), Stream.of(more))
                .toArray(String[]::new));
        assertThat(run.errLines()).containsExactly("embed: " + message);
        assertThat(run.exitCode()).isEqualTo(exitCode);
        assertThat(run.factory().opened).isEmpty();
    }

    private static Run encode(Path input, Path output) {
        return Run.of("encode", "--input", input.toString(), "--output", output.toString());
    }

    private static float[] vector(String text) {
        return FakeEmbedder.vector(text, EmbedOptions.defaults());
    }

    private Path write(String name, String content) throws IOException {
        return Files.writeString(directory.resolve(name), content);
    }

    private List<Path> leftovers() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> file.toString().endsWith(".part")).toList();
        }
    }

    private static List<float[]> npyRows(Path file) throws IOException {
        ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        data.position(128);
        return Stream.generate(() -> {
                    float[] row = new float[FakeEmbedder.DIMENSION];
                    data.asFloatBuffer().get(row);
                    data.position(data.position() + row.length * Float.BYTES);
                    return row;
                })
                .limit(data.remaining() / (FakeEmbedder.DIMENSION * Float.BYTES))
                .toList();
    }
}
