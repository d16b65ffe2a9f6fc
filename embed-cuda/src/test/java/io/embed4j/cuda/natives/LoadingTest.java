// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Unpacking and loading in surroundings that natives mind: many processes, many class loaders, odd file systems. */
class LoadingTest {
    private static final String CUBLAS_12 = "cuBLAS 120000";

    @TempDir
    private static Path shared;

    private static FakeCuda fake;

    @TempDir
    private Path folder;

    @BeforeAll
    static void build() throws Exception {
        fake = FakeCuda.build(shared);
        fake.answer(Map.of());
    }

    private ForkedJvm.Options jvm() {
        return fake.jvm(12)
                .property(UnpackDirectories.PROPERTY, folder.resolve("unpacked").toString());
    }

    @Test
    void someColdProcessesAtOnce() throws Exception {
        coldProcesses(4);
    }

    @Test
    @Tag("full")
    void thirtySixColdProcessesAtOnce() throws Exception {
        coldProcesses(36);
    }

    /** Twice: into an empty directory, and over what a crash of the machine may have left there. */
    private void coldProcesses(int count) throws Exception {
        allAtOnce(count, "first");
        List<Path> unpacked = unpacked();
        assertThat(unpacked).as("one file of each native, and nothing else").hasSize(2);
        for (Path file : unpacked) {
            Files.write(file, new byte[4096]);
        }
        allAtOnce(count, "second");
        assertThat(unpacked()).hasSameElementsAs(unpacked);
    }

    private void allAtOnce(int count, String name) throws Exception {
        Path go = folder.resolve(name);
        List<ForkedJvm> processes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            processes.add(jvm().start(ProbeProgram.class, "await", go.toString(), "cublas"));
        }
        Files.createFile(go);
        for (ForkedJvm process : processes) {
            assertThat(process.lines()).containsExactly(CUBLAS_12);
        }
    }

    private List<Path> unpacked() throws IOException {
        try (Stream<Path> files = Files.walk(folder.resolve("unpacked"))) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    /** A JVM loads a file into one class loader only, so each has its own; cuBLAS itself is in the process once. */
    @Test
    void classLoadersThatEachHaveJcuda() throws Exception {
        List<String> lines = jvm().run(LoadersProgram.class);
        assertThat(Collections.frequency(lines, CUBLAS_12)).isEqualTo(12);
        assertThat(lines).filteredOn(line -> line.contains("libJCudaDriver")).hasSize(3);
        assertThat(lines).filteredOn(line -> line.contains("libJCublas2")).hasSize(3);
        assertThat(lines).hasSize(19).last().isEqualTo(System.getProperty("java.io.tmpdir"));
    }

    @Test
    void classLoadersThatShareJcuda() throws Exception {
        List<String> lines = jvm().run(LoadersProgram.class, "shared");
        assertThat(Collections.frequency(lines, CUBLAS_12)).isEqualTo(12);
        assertThat(lines).filteredOn(line -> line.contains("libJCudaDriver")).hasSize(1);
        assertThat(lines).filteredOn(line -> line.contains("libJCublas2")).hasSize(1);
        assertThat(lines).hasSize(15).last().isEqualTo(System.getProperty("java.io.tmpdir"));
    }

    /** In a mount namespace of its own, so that no right is needed; not offered in every container. */
    private ForkedJvm.Options jvmWithMount(String mountOptions, Path at) throws Exception {
        Files.createDirectories(at);
        String mount = "mount -t tmpfs -o " + mountOptions + " tmpfs '" + at + "'";
        int status;
        try {
            status = new ProcessBuilder("unshare", "-rm", "sh", "-c", mount)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("unshare.txt").toFile())
                    .start()
                    .waitFor();
        } catch (IOException e) {
            status = -1;
        }
        assumeTrue(status == 0, "unshare -rm cannot mount a file system here");
        return jvm().under("unshare", "-rm", "sh", "-c", mount + " && exec \"$@\"", "sh");
    }

    @ParameterizedTest
    @ValueSource(strings = {"noexec", "ro"})
    void aHomeThatCannotBeUsedIsNoObstacle(String mountOptions) throws Exception {
        Path home = folder.resolve("home");
        Path temporary = Files.createDirectories(folder.resolve("temporary"));
        List<String> lines = jvmWithMount(mountOptions, home)
                .property(UnpackDirectories.PROPERTY, "")
                .property("user.home", home.toString())
                .property("user.name", "somebody")
                .property("java.io.tmpdir", temporary.toString())
                .run(ProbeProgram.class, "cublas", "natives");
        assertThat(lines).first().isEqualTo(CUBLAS_12);
        assertThat(lines.subList(1, lines.size()))
                .hasSize(2)
                .allSatisfy(line -> assertThat(line).startsWith(temporary + "/embed4j-somebody/natives/"));
    }

    @Test
    void whereNoDirectoryWillDoEachIsNamedWithTheReason() throws Exception {
        Path home = folder.resolve("home");
        String file = Files.createFile(folder.resolve("file")).toString();
        assertThat(jvmWithMount("noexec", home)
                        .property(UnpackDirectories.PROPERTY, "")
                        .property("user.home", home.toString())
                        .property("user.name", "somebody")
                        .property("java.io.tmpdir", file)
                        .run(ProbeProgram.class, "probe"))
                .singleElement()
                .asString()
                .contains(
                        "JCuda's native library libJCudaDriver-12.6.0-linux-x86_64.so cannot be unpacked and loaded; tried "
                                + home + "/.cache/embed4j/natives/")
                .contains("failed to map segment from shared object")
                .contains("; " + file + "/embed4j-somebody/natives (")
                .endsWith(" | Set the system property embed4j.cuda.natives or the variable EMBED4J_CUDA_NATIVES to a"
                        + " directory of your own that can be written, on a file system that is not mounted noexec."
                        + " See docs/troubleshooting-cuda.md#cuda-natives-unusable.");
    }

    @Test
    void aNamedDirectoryIsUsedOrRefused() throws Exception {
        String file = Files.createFile(folder.resolve("file")).toString();
        assertThat(jvm().property(UnpackDirectories.PROPERTY, file).run(ProbeProgram.class, "probe"))
                .singleElement()
                .asString()
                .contains("cannot be unpacked and loaded; tried " + file + " (")
                .doesNotContain(";  ");
        Path named = folder.resolve("named");
        assertThat(jvm().property(UnpackDirectories.PROPERTY, named.toString())
                        .run(ProbeProgram.class, "probe", "natives"))
                .hasSize(3)
                .filteredOn(line -> line.contains(".so"))
                .allSatisfy(
                        line -> assertThat(line).startsWith(named.toRealPath().toString()));
    }

    /** As an image that was prepared by root and is run read-only. */
    @Test
    void aDirectoryThatWasFilledBeforeMayBeReadOnly() throws Exception {
        jvm().run(ProbeProgram.class, "cublas");
        Path filled = folder.resolve("unpacked");
        Path home = folder.resolve("elsewhere");
        List<String> lines = jvmWithMount("ro", home)
                .under(
                        "unshare",
                        "-m",
                        "sh",
                        "-c",
                        "mount --bind -o ro '" + filled + "' '" + filled + "' && exec \"$@\"",
                        "sh")
                .run(ProbeProgram.class, "cublas", "natives");
        assertThat(lines).hasSize(3).first().isEqualTo(CUBLAS_12);
        assertThat(lines.get(1)).startsWith(filled.toRealPath().toString());
    }
}
