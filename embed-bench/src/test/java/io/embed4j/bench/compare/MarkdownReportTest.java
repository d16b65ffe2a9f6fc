// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MarkdownReportTest {

    @Test
    void ratiosStandBesideErrorsAndGoals() {
        String markdown = MarkdownReport.of(report(List.of("--rounds", "7")));

        assertThat(markdown)
                .contains("- 2026-11-22T10:00:00Z, commit abc with changes")
                .contains(
                        "- Some CPU, 2 cores (avx2 avx512_vnni), 24.0 GiB, Linux 6, load average 0.5 before the start")
                .contains(
                        "| embed4j fp32 | ONNX Runtime 1.29.0, precision fp32 | 900 | 300 | 5.0e-07 | 1.0e-07 | 1.000000"
                                + " | 28 of 28 |")
                .contains("- LangChain4j fp32 refuses 2: \"text cannot be blank\"\n")
                .contains("- left out: sentence-transformers, because EMBED_BENCH_PYTHON names no Python")
                .contains("## bulk, 5 to 128 tokens\n")
                .contains("| embed4j fp32 | 200.0 | 1.60 | 1.50 | 2.00 | gate 1.5, goal 1.8: gate reached |")
                .contains("| LangChain4j fp32 | 100.0 | 1.00 | 1.00 | 1.00 |  |")
                .doesNotContain("smoke run");
    }

    @Test
    void aSmokeRunIsCalledOne() {
        assertThat(MarkdownReport.of(report(List.of("--quick"))))
                .contains("**A smoke run: 2 round(s) are no measurement.**")
                .contains("| gate 1.5, goal 1.8 |")
                .doesNotContain("gate reached");
    }

    @Test
    void goalsHaveThreeOutcomes() {
        assertThat(Goal.verdict(Roster.EMBED4J_INT8, Workload.BULK_MIXED.name(), 2.9))
                .isEqualTo(": gate missed");
        assertThat(Goal.verdict(Roster.EMBED4J_INT8, Workload.BULK_MIXED.name(), 3.0))
                .isEqualTo(": gate reached");
        assertThat(Goal.verdict(Roster.EMBED4J_FP32, Workload.SINGLE.name(), 1.3))
                .isEqualTo(": goal reached");
        assertThat(Goal.verdict(Roster.ONNX_RUNTIME, Workload.SINGLE.name(), 9)).isEmpty();
    }

    private static Report report(List<String> arguments) {
        Accuracy accuracy = new Accuracy(28, 0, "", 5e-7, 3, 1e-7, 1);
        return new Report(
                "2026-11-22T10:00:00Z",
                "embed-bench/compare-cpu",
                "abc with changes",
                new Machine("Some CPU", List.of("avx2", "avx512_vnni"), 2, 0.5, 24L << 30, "Linux 6", "JDK 17"),
                CompareOptions.parse(arguments),
                List.of(
                        contender(Roster.EMBED4J_FP32, "ONNX Runtime 1.29.0, precision fp32", accuracy),
                        contender(
                                Roster.BASELINE,
                                "ONNX Runtime 1.20.0",
                                new Accuracy(26, 2, "text cannot be blank", 5e-7, 3, 1e-7, 1))),
                List.of(new Report.Skipped(Roster.SENTENCE_TRANSFORMERS, "EMBED_BENCH_PYTHON names no Python")),
                List.of(new Report.Timings(
                        Workload.BULK_MIXED.name(), 100, List.of(round(0.5, 1.0), round(0.4, 0.6), round(1.0, 1.6)))));
    }

    private static Report.Contender contender(String name, String engine, Accuracy accuracy) {
        return new Report.Contender(name, engine, List.of(), List.of(800L, 900L, 2000L), 300L << 20, accuracy);
    }

    private static Report.Round round(double ours, double theirs) {
        return new Report.Round(
                List.of(Roster.EMBED4J_FP32, Roster.BASELINE),
                Map.of(Roster.EMBED4J_FP32, ours, Roster.BASELINE, theirs));
    }
}
