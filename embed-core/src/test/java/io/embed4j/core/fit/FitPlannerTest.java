// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.fit;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.FitReport;
import io.embed4j.Precision;
import io.embed4j.core.device.FakeBackend;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.spec.DType;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.testkit.Fixture;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FitPlannerTest {
    private static final ModelDefinition MODEL =
            ModelLoader.load(Fixture.load("bert-h48-a2").model());

    private static FitReport report(IntFunction<MemoryPlan> planByBudget, long freeBytes, int budget) {
        FakeBackend backend = new FakeBackend(planByBudget, freeBytes);
        try (Device device = backend.open(new DeviceId("fake", 0))) {
            EncoderOptions options = new EncoderOptions("model", Precision.FP32, 40, budget, List.of());
            return new FitPlanner(MODEL.spec(), MODEL.weights().types(), device).report(options);
        }
    }

    /** 1000 bytes of weights, 10 a token, and 1000 tokens where the backend chooses. */
    private static MemoryPlan linear(int budget) {
        return new MemoryPlan(1000, 10L * (budget == 0 ? 1000 : budget), 7);
    }

    @Test
    void whatFitsIsReportedWithTheLargestBudgetThatWould() {
        FitReport report = report(FitPlannerTest::linear, 20_000, 0);
        assertThat(report.verdict()).isEqualTo(FitReport.Verdict.FITS);
        assertThat(report.neededBytes()).isEqualTo(1000 + 10_000 + 7);
        assertThat(report.room().largestTokenBudget()).isEqualTo((20_000 - 1007) / 10);
        assertThat(report.remedy()).isEmpty();
        assertThat(report.tokenBudget()).isEqualTo(1000);
        assertThat(report.room().longestText()).isEqualTo(40);
        assertThat(report.room().indexRows())
                .containsExactly(
                        Map.entry(DType.FP32, (20_000L - 11_007 - FakeBackend.INDEX_WORKSPACE) / (48 * 4)),
                        Map.entry(DType.FP16, (20_000L - 11_007 - FakeBackend.INDEX_WORKSPACE) / (48 * 2)),
                        Map.entry(DType.BF16, (20_000L - 11_007 - FakeBackend.INDEX_WORKSPACE) / (48 * 2)));
        assertThat(report.throughput())
                .as("the device is no card that is known")
                .isNull();
        assertThat(report.model()).isEqualTo("model");
        assertThat(report.device()).isEqualTo("fake:0");
        assertThat(List.of(report.freeBytes(), report.totalBytes())).containsExactly(20_000L, 2000L);
    }

    /** Bisection against counting up. */
    @ParameterizedTest
    @ValueSource(longs = {1407, 1408, 1416, 1417, 5000, 9999, 11_006})
    void theLargestBudgetIsExact(long freeBytes) {
        int expected = 0;
        for (int budget = 40; linear(budget).totalBytes() <= freeBytes; budget++) {
            expected = budget;
        }
        FitReport report = report(FitPlannerTest::linear, freeBytes, 0);
        assertThat(report.verdict()).isEqualTo(FitReport.Verdict.FITS_WITH_REMEDY);
        assertThat(report.room().largestTokenBudget()).isEqualTo(expected);
        assertThat(report.remedy()).isEqualTo("Lower maxBatchTokens to " + expected + ".");
    }

    @Test
    void lessThanOneTextDoesNotFitAtAll() {
        FitReport report = report(FitPlannerTest::linear, 1406, 100);
        assertThat(report.verdict()).isEqualTo(FitReport.Verdict.DOES_NOT_FIT);
        assertThat(report.room().largestTokenBudget()).isZero();
        assertThat(report.room().longestText()).isEqualTo(39);
        FitReport nothing = report(FitPlannerTest::linear, 1006, 100);
        assertThat(nothing.remedy()).isEqualTo("It is short by 1001 bytes; use another device or a smaller model.");
        assertThat(nothing.room().longestText()).isZero();
        assertThat(nothing.room().indexRows()).isEmpty();
        assertThat(report.remedy())
                .isEqualTo("It is short by 601 bytes; texts of at most 39 tokens would fit (max_seq_length in"
                        + " sentence_bert_config.json).");
    }

    @Test
    void plansMayGrowInStepsAndEndSomewhere() {
        FitReport steps = report(budget -> new MemoryPlan(0, (budget + 127) / 128 * 128L, 0), 1000, 0);
        assertThat(steps.room().largestTokenBudget()).isEqualTo(896);
        FitReport constant = report(budget -> new MemoryPlan(5, 0, 0), 1000, 0);
        assertThat(constant.room().largestTokenBudget()).isEqualTo(1 << 24);
    }
}
