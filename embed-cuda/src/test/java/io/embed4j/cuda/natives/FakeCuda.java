// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;

/**
 * A driver and cuBLAS that answer as a test wants, compiled by g++ out of src/test/cpp.
 *
 * @param directory where the libraries are built, each kind in its own folder
 */
record FakeCuda(Path directory) {
    private static final Path SOURCES = Path.of("src/test/cpp");

    /** Compiles the libraries, or skips the test where that cannot be done. */
    static FakeCuda build(Path directory) throws IOException, InterruptedException {
        requireCompiler();
        FakeCuda fake = new FakeCuda(directory);
        fake.library(fake.driver(), "libcuda.so.1", "fake_cuda.cpp");
        for (int major : List.of(12, 13)) {
            Path folder = fake.cublas(major);
            fake.library(folder, "libcublasLt.so." + major, "fake_cublas_lt.cpp");
            fake.library(
                    folder,
                    "libcublas.so." + major,
                    "fake_cublas.cpp",
                    "-DCUBLAS_MAJOR=" + major,
                    folder.resolve("libcublasLt.so." + major).toString());
        }
        return fake;
    }

    private static void requireCompiler() throws InterruptedException {
        String missing = null;
        if (Platform.current().filter(Platform.LINUX::equals).isEmpty()) {
            missing = "The fake CUDA libraries are for Linux on x86_64.";
        } else {
            try {
                new ProcessBuilder("g++", "--version")
                        .redirectErrorStream(true)
                        .start()
                        .waitFor();
            } catch (IOException e) {
                missing = "There is no g++ to build the fake CUDA libraries with.";
            }
        }
        String required = System.getenv("EMBED_REQUIRE");
        if (required != null && Arrays.asList(required.split(",")).contains("cuda")) {
            assertThat(missing).isNull();
        }
        Assumptions.assumeTrue(missing == null, missing);
    }

    /** The folder with libcuda.so.1. */
    Path driver() {
        return directory.resolve("driver");
    }

    /** The folder with libcublas.so.12 or .13, and cuBLASLt. */
    Path cublas(int major) {
        return directory.resolve("cublas" + major);
    }

    /** The file with the driver's answers. */
    Path settings() {
        return directory.resolve("settings");
    }

    /** Makes the driver answer differently from now on; what is not named succeeds. */
    void answer(Map<String, Integer> settings) throws IOException {
        Files.writeString(
                settings(),
                settings.entrySet().stream()
                        .map(setting -> setting.getKey() + " " + setting.getValue() + "\n")
                        .collect(Collectors.joining()));
    }

    /** A JVM that has the driver and, unless 0, the cuBLAS of a version in a directory that it is told. */
    ForkedJvm.Options jvm(int cublasMajor) {
        ForkedJvm.Options options = ForkedJvm.options()
                .variable("LD_LIBRARY_PATH", driver().toString())
                .variable("FAKE_CUDA", settings().toString())
                .property(
                        UnpackDirectories.PROPERTY,
                        directory.resolve("unpacked").toString());
        return cublasMajor == 0
                ? options
                : options.property(CublasLocator.PROPERTY, cublas(cublasMajor).toString());
    }

    private void library(Path folder, String name, String source, String... more)
            throws IOException, InterruptedException {
        Files.createDirectories(folder);
        List<String> command = new ArrayList<>(List.of(
                "g++",
                "-shared",
                "-fPIC",
                "-o",
                folder.resolve(name).toString(),
                "-Wl,-soname," + name,
                "-Wl,--default-symver",
                SOURCES.resolve(source).toString()));
        command.addAll(List.of(more));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
    }
}
