// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel images of the jar come from the sources of this tree, and these compile. */
class KernelSourcesTest {
    private static final Path SOURCES = Path.of("..", "native", "kernels");

    @Test
    void imagesAreThoseOfTheSources() throws IOException {
        String recorded;
        try (InputStream sum = KernelImages.class.getResourceAsStream("kernels/sources.sha256")) {
            recorded = new String(sum.readAllBytes(), StandardCharsets.UTF_8).strip();
        }

        assertThat(sumOfSources())
                .as("The images of the kernels are not those of native/kernels: run native/build.sh")
                .isEqualTo(recorded);
    }

    /** As native/build.sh: the sum over the lines "sum of a file, two spaces, its name", in the order of names. */
    private static String sumOfSources() throws IOException {
        try (Stream<Path> files = Files.walk(SOURCES)) {
            return files.filter(file -> file.toString().matches(".*\\.cuh?"))
                    .map(file -> SOURCES.relativize(file).toString().replace('\\', '/'))
                    .sorted()
                    .map(name -> sum(read(SOURCES.resolve(name))) + "  " + name + "\n")
                    .collect(Collectors.collectingAndThen(
                            Collectors.joining(), lines -> sum(lines.getBytes(StandardCharsets.UTF_8))));
        }
    }

    private static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String sum(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void sourcesCompileWithoutWarnings(@TempDir Path folder) throws IOException, InterruptedException {
        assumeThat(onPath("nvcc")).as("There is no nvcc on the PATH.").isTrue();
        Path all = folder.resolve("all_kernels.cu");
        try (Stream<Path> files = Files.list(SOURCES)) {
            Files.writeString(
                    all,
                    files.map(file -> file.getFileName().toString())
                            .filter(name -> name.endsWith(".cu"))
                            .sorted()
                            .map(name -> "#include \"" + name + "\"\n")
                            .collect(Collectors.joining()));
        }
        List<String> command = new ArrayList<>(List.of("nvcc", "-std=c++17", "-Werror", "all-warnings", "-I"));
        command.addAll(List.of(SOURCES.toString(), "-arch=compute_80", "-ptx"));
        command.addAll(List.of("-o", folder.resolve("all.ptx").toString(), all.toString()));

        Path log = folder.resolve("log");
        Process nvcc = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();

        assertThat(nvcc.waitFor(10, TimeUnit.MINUTES)).as("nvcc has finished").isTrue();
        assertThat(nvcc.exitValue()).as(Files.readString(log)).isZero();
    }

    private static boolean onPath(String program) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(java.io.File.pathSeparator))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }
}
