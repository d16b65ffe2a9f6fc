// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.FitReport;
import io.embed4j.Precision;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.testkit.Fixture;
import java.util.List;
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
            return FitPlanner.report(MODEL.spec(), MODEL.weights(), device, options);
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
        assertThat(report.largestTokenBudget()).isEqualTo((20_000 - 1007) / 10);
        assertThat(report.remedy()).isEmpty();
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
        assertThat(report.largestTokenBudget()).isEqualTo(expected);
        assertThat(report.remedy()).isEqualTo("Lower maxBatchTokens to " + expected + ".");
    }

    @Test
    void lessThanOneTextDoesNotFitAtAll() {
        FitReport report = report(FitPlannerTest::linear, 1406, 100);
        assertThat(report.verdict()).isEqualTo(FitReport.Verdict.DOES_NOT_FIT);
        assertThat(report.largestTokenBudget()).isZero();
        assertThat(report.remedy()).isEqualTo("It is short by 601 bytes; use another device or a smaller model.");
    }

    @Test
    void plansMayGrowInStepsAndEndSomewhere() {
        FitReport steps = report(budget -> new MemoryPlan(0, (budget + 127) / 128 * 128L, 0), 1000, 0);
        assertThat(steps.largestTokenBudget()).isEqualTo(896);
        FitReport constant = report(budget -> new MemoryPlan(5, 0, 0), 1000, 0);
        assertThat(constant.largestTokenBudget()).isEqualTo(1 << 24);
    }
}
