// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedderFactory;
import io.embed4j.testkit.Fixture;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code embed encode} takes constant memory: five million lines go through the whole command in a heap of 64 MB. All is
 * real, tokenizer and scheduler included, but for the encoder, which takes no time ({@link ConstantTimeBackend}). The
 * output, 40 MB, is checked row by row.
 */
@Tag("full")
class FiveMillionLinesTest {
    private static final int LINES = 5_000_000;
    private static final int DIMENSION = 2;
    private static final int HEADER_BYTES = 128;

    /** Lines have 1 to 7 words, so neighbours differ. */
    private static final int PERIOD = 7;

    private static final int MINUTES = 10;

    /** The command, in the JVM with the small heap. */
    static final class Program {
        private Program() {}

        public static void main(String[] args) {
            System.exit(Main.run(args, EmbedderFactory::find, Terminal.ofProcess()));
        }
    }

    @Test
    void goThroughAHeapOf64Megabytes(@TempDir Path directory) throws Exception {
        Path services = Files.createDirectories(directory.resolve("classes/META-INF/services"));
        Files.writeString(services.resolve("io.embed4j.spi.BackendProvider"), ConstantTimeBackend.class.getName());
        Path output = directory.resolve("vectors.npy");
        Path error = directory.resolve("stderr.txt");
        long startNanos = System.nanoTime();
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-cp",
                        directory.resolve("classes") + File.pathSeparator + System.getProperty("java.class.path"),
                        Program.class.getName(),
                        "encode",
                        "--model",
                        Fixture.load("bert-h36-a3").model(),
                        "--device",
                        ConstantTimeBackend.DEVICE,
                        "--dimension",
                        String.valueOf(DIMENSION),
                        "--input",
                        "-",
                        "--output",
                        output.toString())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(error.toFile())
                .start();
        try {
            writeLines(process);
            assertThat(process.waitFor(MINUTES, TimeUnit.MINUTES)).isTrue();
        } finally {
            Process unused = process.destroyForcibly();
        }
        String told = Files.readString(error);
        assertThat(process.exitValue()).as(told).isZero();
        assertThat(told).contains("5000000 texts, ");
        System.out.printf(
                Locale.ROOT,
                "-Xmx64m, %.0f s: %s",
                (System.nanoTime() - startNanos) / 1e9,
                told.lines()
                                .filter(line -> line.contains(" texts, "))
                                .findFirst()
                                .orElseThrow()
                        + System.lineSeparator());
        checkRows(output);
    }

    /** Stops quietly where the command has ended: its exit code and message say why. */
    private static void writeLines(Process process) {
        byte[][] lines = new byte[PERIOD][];
        for (int words = 1; words <= PERIOD; words++) {
            lines[words - 1] =
                    ("a " + "b ".repeat(words - 1)).strip().concat("\n").getBytes(StandardCharsets.UTF_8);
        }
        try (OutputStream in = new BufferedOutputStream(process.getOutputStream(), 1 << 16)) {
            for (int i = 0; i < LINES; i++) {
                in.write(lines[i % PERIOD]);
            }
        } catch (IOException e) {
            System.out.println("The command took no more lines: " + e);
        }
    }

    private static void checkRows(Path output) throws IOException {
        assertThat(Files.size(output)).isEqualTo(HEADER_BYTES + (long) LINES * DIMENSION * Float.BYTES);
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(output), 1 << 20))) {
            String header = new String(in.readNBytes(HEADER_BYTES), StandardCharsets.ISO_8859_1);
            assertThat(header).contains("'shape': (5000000, 2)");
            float firstWord = 0;
            for (int row = 0; row < LINES; row++) {
                float tokens = read(in);
                float word = read(in);
                firstWord = row == 0 ? word : firstWord;
                if (tokens != row % PERIOD + 3 || word != firstWord) { // a word is a token, and two are special
                    throw new AssertionError("row " + row + " is " + List.of(tokens, word));
                }
            }
        }
    }

    private static float read(DataInputStream in) {
        try {
            return Float.intBitsToFloat(Integer.reverseBytes(in.readInt()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
