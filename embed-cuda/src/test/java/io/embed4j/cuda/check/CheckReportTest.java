// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.cuda.check.PartResult.Outcome;
import io.embed4j.cuda.check.PartResult.TestRow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckReportTest {
    private static final String LINE =
            "cuda:0 bert-h36-a3 fp16, one call: max error 0.000702 of 32 at text 3, 46 % of the bar 0.00151";

    @TempDir
    private Path folder;

    private static DeviceFacts device(String name) {
        return new DeviceFacts(name, "GPU-1", 90, 2L << 30, 1L << 30, 13_000, "CUDA 13.0", 130_100, "a folder");
    }

    private static TestRow test(Outcome outcome, String message) {
        return new TestRow("SomeTest.some [1]", outcome, 1, message, List.of(LINE));
    }

    private CheckReport report(String device, PartResult... failing) {
        List<PartResult> parts = new ArrayList<>();
        for (CheckPart part : CheckPart.values()) {
            parts.add(new PartResult(part, "", 1, List.of(test(Outcome.PASSED, ""))));
        }
        for (PartResult part : failing) {
            parts.replaceAll(other -> other.part() == part.part() ? part : other);
        }
        CheckOptions options = CheckOptions.parse(List.of("--out", folder.toString(), "--commit", "abc", "--model"));
        return new CheckReport(Optional.of(device(device)), options, parts, 8);
    }

    private String markdown(CheckReport report) throws IOException {
        report.write(folder);
        return Files.readString(folder.resolve(CheckReport.MARKDOWN));
    }

    @Test
    void tellsCommitDeviceAndShareOfTheBar() throws IOException {
        CheckReport report = report("NVIDIA H200");

        assertThat(report.passed()).isTrue();
        assertThat(report.verdict()).isEqualTo("The GPU check passed on NVIDIA H200.");
        assertThat(markdown(report))
                .contains("| Commit | abc |", "| UUID | GPU-1 |", "| cuBLAS | 130100 from a folder |")
                .contains("| bert-h36-a3 | fp16 | texts | 0.000702 | 0.00151 | 46 % |");
        assertThat(Files.readString(folder.resolve(CheckReport.JSON))).contains("\"emulated\": false");
    }

    @Test
    void theEmulatedDeviceIsNeverTakenForAGpu() throws IOException {
        CheckReport report = report("embed4j emulated CUDA device (CPU)");

        assertThat(report.verdict()).contains("the EMULATED device (a CPU, not a GPU)");
        assertThat(markdown(report))
                .startsWith("# GPU check: the EMULATED device (a CPU, not a GPU)\n")
                .contains("NOT A GPU");
        assertThat(Files.readString(folder.resolve(CheckReport.JSON))).contains("\"emulated\": true");
    }

    @Test
    void aFailureAPartCutOffAndAnUnexpectedSkipAreNoPass() throws IOException {
        for (PartResult failing : List.of(
                new PartResult(CheckPart.KERNELS, "", 1, List.of(test(Outcome.FAILED, "far off"))),
                new PartResult(CheckPart.KERNELS, "", 1, List.of(test(Outcome.CUT_OFF, "did not end"))),
                new PartResult(CheckPart.KERNELS, "", 1, List.of(test(Outcome.SKIPPED, "no device"))),
                new PartResult(CheckPart.KERNELS, "", 1, List.of()),
                new PartResult(CheckPart.KERNELS, "stopped after 9 s", 9, List.of(test(Outcome.PASSED, ""))))) {
            CheckReport report = report("NVIDIA H200", failing);
            assertThat(report.passed()).as(failing.toString()).isFalse();
            assertThat(report.verdict()).contains("did NOT pass");
            assertThat(markdown(report)).contains("FAILED");
        }
    }

    @Test
    void aReportOfSomePartsIsNoWholeOne() {
        CheckOptions some = CheckOptions.parse(List.of("--out", "x", "--model", "--parts", "cublas,memory"));
        assertThat(some.whole()).isFalse();
        assertThat(some.wants(CheckPart.FACTS)).isTrue();
        assertThat(some.wants(CheckPart.KERNELS)).isFalse();
        assertThat(CheckOptions.parse(List.of("--out", "x")).whole())
                .as("without the embedded default")
                .isFalse();
        assertThatThrownBy(() -> CheckOptions.parse(List.of("--commit", "abc"))).hasMessageContaining("--out");
        assertThatThrownBy(() -> CheckOptions.parse(List.of("--our", "x"))).hasMessageContaining("--our");
    }

    @Test
    void whatIsNotANumberIsOverTheBar() {
        assertThat(Share.find("max error NaN, NaN % of the bar 3").getAsDouble())
                .isInfinite();
        assertThat(Share.find("nothing to see")).isEmpty();
    }
}
