// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.embed4j.EmbedderFactory;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Outputs that cannot be written to the end: the system itself refuses, the message says so, the old file stays and the
 * half of a new one goes. A process of its own gets a limit on the size of its files ({@code ulimit -f}), which needs no
 * privilege and fails in the same place as a full disk.
 */
@EnabledOnOs(value = OS.LINUX, disabledReason = "needs ulimit and /dev/full")
class FullDiskTest {
    private static final String HELP = " See docs/troubleshooting.md#cannot-write";

    @TempDir
    private Path directory;

    private Path input;

    /** The command with fake vectors, four numbers a line: nothing else writes files. */
    static final class WithFakes {
        private WithFakes() {}

        public static void main(String[] args) {
            System.exit(Main.run(args, FakeFactory::new, Terminal.ofProcess()));
        }
    }

    /** The command as it is. */
    static final class WithModel {
        private WithModel() {}

        public static void main(String[] args) {
            System.exit(Main.run(args, EmbedderFactory::find, Terminal.ofProcess()));
        }
    }

    private record Ended(int exitCode, String text) {}

    /** A megabyte of vectors. */
    @BeforeEach
    void writeInput() throws IOException {
        input = Files.write(
                directory.resolve("texts.txt"),
                IntStream.range(0, 65_536).mapToObj(i -> "text " + i).toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"vectors.npy", "vectors.safetensors", "vectors.jsonl"})
    void whereAFileCannotGrowTheOldOneStays(String name) throws Exception {
        Path output = Files.writeString(directory.resolve(name), "old");
        Ended ended = run(
                "ulimit -f 128", WithFakes.class, List.of(), "encode", "-i", input.toString(), "-o", output.toString());

        assertThat(ended)
                .isEqualTo(new Ended(1, "embed: Cannot write to " + output + ": File too large." + HELP + "\n"));
        assertThat(Files.readString(output)).isEqualTo("old");
        assertThat(files(directory)).containsExactlyInAnyOrder(input, output);
    }

    /** The real ENOSPC, where the system lets us mount a small file system. */
    @Test
    void whereTheFileSystemIsFullNothingIsLeft() throws Exception {
        Path small = Files.createDirectory(directory.resolve("small"));
        String mount = "mount -t tmpfs -o size=128k none " + small;
        Process trial = new ProcessBuilder("unshare", "-rm", "sh", "-c", mount)
                .redirectErrorStream(true)
                .start();
        String refusal = new String(trial.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assumeTrue(trial.waitFor() == 0, () -> "no file system of our own here: " + refusal.strip());

        Path output = small.resolve("vectors.npy");
        Path list = directory.resolve("left");
        String command = mount + " && { "
                + shell(command(WithFakes.class, List.of(), "encode", "-i", input.toString(), "-o", output.toString()))
                + "; code=$?; ls -A " + small + " > " + list + "; exit $code; }";
        Ended ended = ended(new ProcessBuilder("unshare", "-rm", "sh", "-c", command));
        assertThat(ended)
                .isEqualTo(
                        new Ended(1, "embed: Cannot write to " + output + ": No space left on device." + HELP + "\n"));
        assertThat(list).isEmptyFile();
    }

    @Test
    void aFullStandardOutputIsTold() throws Exception {
        ProcessBuilder builder =
                new ProcessBuilder(command(WithFakes.class, List.of(), "encode", "-i", input.toString(), "-o", "-"));
        Process process = builder.redirectOutput(new File("/dev/full")).start();
        String error = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isEqualTo(1);
        assertThat(error).isEqualTo("embed: Cannot write to standard output: No space left on device." + HELP + "\n");
    }

    /** Like any filter: the shell's pipe is closed before the first vector comes. */
    @ParameterizedTest
    @ValueSource(strings = {"text", "encode -o - -i "})
    void whereTheReaderHasGoneTheCommandEndsWithoutAWord(String arguments) throws Exception {
        String command = arguments.endsWith("-i ") ? arguments + input : arguments;
        Process process = new ProcessBuilder(command(WithFakes.class, List.of(), command.split(" "))).start();
        process.getInputStream().close();
        String error = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(error).isEmpty();
        assertThat(process.waitFor()).isEqualTo(128 + 13);
    }

    @Test
    void aCacheWithoutRoomIsToldAndHoldsNoHalfOfAModel() throws Exception {
        Path cache = directory.resolve("cache");
        Ended ended = run("ulimit -f 2048", WithModel.class, List.of("-Dembed4j.cache=" + cache), "-d", "cpu", "text");

        assertThat(ended.exitCode()).as(ended.text()).isEqualTo(1);
        assertThat(ended.text())
                .startsWith("embed: The model all-MiniLM-L6-v2 could not be unpacked to " + cache)
                .contains("File too large")
                .endsWith("Set the system property embed4j.cache to a writable directory with room."
                        + " See docs/troubleshooting.md#cache-directory\n");
        assertThat(files(cache.resolve("models"))).isEmpty();
    }

    @Test
    void anOutputThatMayNotBeWrittenIsRefusedBeforeAnythingElse() throws Exception {
        Path locked = Files.createDirectory(
                directory.resolve("locked"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("r-xr-xr-x")));
        if (Files.isWritable(locked)) {
            locked = Path.of("/proc/self"); // root may write anywhere but here
        }
        Path output = locked.resolve("vectors.npy");
        Run run = Run.of("encode", "-i", input.toString(), "-o", output.toString());
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.errLines()).hasSize(1);
        assertThat(run.err())
                .startsWith("embed: --output " + output + " cannot be written: ")
                .endsWith(HELP + "\n");
        assertThat(run.factory().opened).isEmpty();
        assertThat(output).doesNotExist();
    }

    private static Ended run(String limit, Class<?> main, List<String> options, String... args) throws Exception {
        return ended(new ProcessBuilder("sh", "-c", limit + "; exec " + shell(command(main, options, args))));
    }

    private static Ended ended(ProcessBuilder builder) throws Exception {
        Process process = builder.redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Ended(process.waitFor(), text);
    }

    private static List<String> command(Class<?> main, List<String> options, String... args) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of(
                "-XX:TieredStopAtLevel=1",
                "-XX:-UsePerfData",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
        command.addAll(List.of(args));
        return command;
    }

    private static String shell(List<String> command) {
        return "'" + String.join("' '", command) + "'";
    }

    private static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        }
    }
}
