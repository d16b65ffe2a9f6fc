// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is carried to a GPU machine is small enough, runs there on its own, and is proven on the emulated device. */
@Tag("full")
class GpuCheckTest {
    /** Bytes; the limit of a transfer. */
    private static final long LARGEST_BUNDLE = 35_000_000;

    private static final Path ROOT = Checkout.root();
    private static final Path GPU = ROOT.resolve("embed-bench/gpu");

    @TempDir
    private Path out;

    private record Answer(int exitCode, String text) {}

    @BeforeAll
    static void bundle() throws Exception {
        Answer answer = run(List.of(GPU.resolve("bundle").toString(), "--no-model"));
        assertThat(answer.exitCode()).as(answer.text()).isZero();
    }

    private static Answer run(List<String> command) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        // The check brings its own Java.
        builder.environment().remove("MAVEN_OPTS");
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Answer(process.waitFor(), text);
    }

    private Answer check(boolean emulator, String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        if (emulator) {
            command.add(ROOT.resolve("native/emulator/run").toString());
        }
        command.addAll(List.of(GPU.resolve("check").toString(), "--no-model", "--out", out.toString()));
        command.addAll(List.of(options));
        return run(command);
    }

    @Test
    void theBundleIsSmallEnough() throws IOException {
        long bytes = 0;
        try (Stream<Path> files = Files.list(GPU.resolve("build/bundle"))) {
            for (Path file : files.toList()) {
                bytes += Files.size(file);
            }
        }
        assertThat(bytes).isBetween(1L, LARGEST_BUNDLE);
    }

    @Test
    void theEmulatedDevicePassesAndIsNamedAsSuch() throws Exception {
        Answer answer = check(true, "--parts", "cublas,images,parity,faults,memory");
        assertThat(answer.exitCode()).as(answer.text()).isZero();
        String report = Files.readString(out.resolve("gpu-check.md"));
        assertThat(report)
                .startsWith("# GPU check: the EMULATED device (a CPU, not a GPU)")
                .contains("| mpnet-h36-a3 | bf16 |", "| Commit |", "| UUID |");
        assertThat(Files.readString(out.resolve("gpu-check.json"))).contains("\"emulated\": true", "\"passed\": true");
    }

    @Test
    void aPartOutOfTimeIsReportedAndTheNextOnesRun() throws Exception {
        Answer answer = check(true, "--parts", "parity,memory", "--budget", "6");
        assertThat(answer.exitCode()).as(answer.text()).isEqualTo(1);
        assertThat(Files.readString(out.resolve("gpu-check.md"))).contains("FAILED: stopped after", "FAILED: not run");
    }

    @Test
    void aComparisonWhosePeersFailStillReports() throws Exception {
        Answer answer = run(List.of(
                ROOT.resolve("native/emulator/run").toString(),
                GPU.resolve("compare").toString(),
                "--out",
                out.toString(),
                "--python",
                "false",
                "--shapes",
                "tiny",
                "--dtypes",
                "fp16"));
        assertThat(answer.exitCode()).as(answer.text()).isZero();
        assertThat(Files.readString(out.resolve("compare-gpu.md")))
                .startsWith("# embed4j and its peers on embed4j emulated")
                .contains(
                        "- peers roofline: its process ended with 1", "- embed4j tiny fp16: its process ended with 1");
    }

    @Test
    void withoutADeviceEveryPartIsReportedAndNothingPasses() throws Exception {
        assumeTrue(!Files.exists(Path.of("/dev/nvidiactl")), "there is a GPU here");
        Answer answer = check(false, "--parts", "cublas,memory");
        assertThat(answer.exitCode()).as(answer.text()).isEqualTo(1);
        assertThat(Files.readString(out.resolve("gpu-check.md"))).startsWith("# GPU check: no device");
    }
}
