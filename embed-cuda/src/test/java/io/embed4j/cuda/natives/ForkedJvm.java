// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A program in a JVM of its own: libraries that were loaded cannot be unloaded, and a crash takes the JVM with it. */
final class ForkedJvm {
    private static final long TIMEOUT_SECONDS = 120;

    private final Process process;
    private final Path output;

    private ForkedJvm(Process process, Path output) {
        this.process = process;
        this.output = output;
    }

    /** With what a JVM is started. */
    static final class Options {
        private final Map<String, String> environment = new HashMap<>();
        private final List<String> flags = new ArrayList<>();
        private final List<String> prefix = new ArrayList<>();
        private String classPath = System.getProperty("java.class.path");

        Options variable(String name, String value) {
            environment.put(name, value);
            return this;
        }

        Options property(String name, String value) {
            flags.add("-D" + name + "=" + value);
            return this;
        }

        /** Adds a jar to the class path, which is otherwise this JVM's. */
        Options jar(Path jar) {
            classPath += File.pathSeparator + jar;
            return this;
        }

        /** Runs the JVM by a command that takes it as its last arguments. */
        Options under(String... command) {
            prefix.addAll(List.of(command));
            return this;
        }

        /** Starts a program and does not wait for it. */
        ForkedJvm start(Class<?> main, String... arguments) throws IOException {
            List<String> command = new ArrayList<>(prefix);
            command.addAll(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-Xshare:auto",
                    "-XX:TieredStopAtLevel=1",
                    "-Xmx128m",
                    "-XX:-CreateCoredumpOnCrash",
                    "-XX:ErrorFile=/dev/null"));
            command.addAll(flags);
            command.addAll(List.of("-cp", classPath, main.getName()));
            command.addAll(List.of(arguments));
            Path output = Files.createTempFile("forked-jvm", ".txt");
            ProcessBuilder builder =
                    new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
            // Settings of the machine that would tell the program where CUDA and its caches are.
            builder.environment()
                    .keySet()
                    .removeIf(name ->
                            name.matches("LD_LIBRARY_PATH|CUDA_.*|EMBED4J_.*|XDG_CACHE_HOME|VIRTUAL_ENV|CONDA_.*"));
            builder.environment().put("LC_ALL", "C"); // the loader's words are compared
            builder.environment().putAll(environment);
            return new ForkedJvm(builder.start(), output);
        }

        /** Runs a program and returns the lines it printed. */
        List<String> run(Class<?> main, String... arguments) throws IOException, InterruptedException {
            return start(main, arguments).lines();
        }
    }

    static Options options() {
        return new Options();
    }

    /** The class path of this JVM. */
    static List<Path> classPath() {
        return List.of(System.getProperty("java.class.path").split(File.pathSeparator, -1)).stream()
                .map(Path::of)
                .toList();
    }

    /** Waits for the end, which has to be a good one, and returns what the program printed. */
    List<String> lines() throws IOException, InterruptedException {
        boolean ended = process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly().waitFor();
        }
        List<String> lines = Files.readAllLines(output);
        Files.delete(output);
        assertThat(ended).as("ended in %d s: %s", TIMEOUT_SECONDS, lines).isTrue();
        assertThat(process.exitValue())
                .as("exit code of the JVM that printed %s", lines)
                .isZero();
        return lines;
    }
}
