// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(value = OS.WINDOWS, disabledReason = "a process cannot be told to end there, only killed")
class EndSignalsTest {

    /** Opens an output, says so, and would write forever. */
    static final class Writer {
        private Writer() {}

        public static void main(String[] args) throws Exception {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
            Terminal terminal = new Terminal(
                    InputStream.nullInputStream(),
                    OutputStream.nullOutputStream(),
                    new PrintWriter(new StringWriter()),
                    false);
            EndSignals.install(AtomicFile::deleteAllUnfinished, terminal);
            try (AtomicFile file = AtomicFile.create(Path.of(args[0]))) {
                System.out.println("open");
                Thread.sleep(Long.MAX_VALUE);
                file.commit();
            }
        }
    }

    @Test
    void nothingIsLeftAndNoOtherHookRuns(@TempDir Path directory) throws Exception {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Process process = new ProcessBuilder(
                        java.toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Writer.class.getName(),
                        directory.resolve("v.npy").toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            assertThat(out.readLine()).isEqualTo("open");
            assertThat(files(directory)).hasSize(1);

            process.toHandle().destroy(); // SIGTERM

            assertThat(process.waitFor()).isEqualTo(143);
            assertThat(files(directory)).isEmpty();
            assertThat(out.readLine()).isNull();
        }
    }

    private static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        }
    }
}
