// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.Fixture;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the plan says is what is allocated, no more, no less, and all of it is given back. */
@RequiresDevice
class DeviceMemoryUseTest {
    private static final long GRANULE = 2L << 20;
    private static final int CUDA_ERROR_OUT_OF_MEMORY = 2;
    private static final Fixture FIXTURE = Fixture.load("bert-h48-a2");
    private final EmulatedDevice device = new EmulatedDevice();

    @AfterEach
    void restore() {
        device.close();
    }

    private static Embedder.Builder builder() {
        return Embedder.builder().model(FIXTURE.model()).device("cuda:0");
    }

    /** Who names a budget gets it or is refused. */
    private static Embedder.Builder named() {
        return builder().maxBatchTokens(16_384);
    }

    @ParameterizedTest
    @EnumSource(
            value = Precision.class,
            names = {"FP32", "FP16", "BF16"})
    void whatIsPredictedIsAllocatedToTheByte(Precision precision) {
        for (int budget : List.of(40, 41, 999, 16_384)) {
            Embedder.Builder builder = builder().precision(precision).maxBatchTokens(budget);
            FitReport report = builder.fit();
            long before = device.usedBytes();
            long live = device.liveAllocations();
            try (Embedder embedder = builder.build()) {
                assertThat(device.usedBytes() - before).isEqualTo(report.neededBytes());
                embedder.embed(FIXTURE.texts());
                assertThat(device.usedBytes() - before).isEqualTo(report.neededBytes());
            }
            assertThat(device.usedBytes()).isEqualTo(before);
            assertThat(device.liveAllocations()).isEqualTo(live);
        }
    }

    @Test
    void nothingIsAllocatedWhileBatchesRun() {
        try (Embedder embedder = builder().build()) {
            for (int round = 0; round < 3; round++) {
                embedder.embed(FIXTURE.texts());
            }
            long calls = device.memoryCalls();
            for (int round = 0; round < 3; round++) {
                embedder.embed(FIXTURE.texts());
                embedder.embed(
                        FIXTURE.texts().subList(0, 3), EmbedOptions.defaults().withDimension(7));
                embedder.embedTokens(FIXTURE.texts());
            }
            assertThat(device.memoryCalls()).isEqualTo(calls);
        }
    }

    @Test
    void itRunsInJustThePredictedMemoryAndIsRefusedInLess() {
        long needed = named().fit().neededBytes();
        device.memorySize(device.usedBytes() + needed);
        try (Embedder embedder = named().build()) {
            Bar.Worst worst = new Bar.Worst();
            for (int row = 0; row < 32; row++) {
                float[] vector = embedder.embed(FIXTURE.texts().get(row)).vector(0);
                worst.add(Bar.unitError(vector, FIXTURE.vectors()[row]), "text " + row);
            }
            worst.mustPass("in just the predicted memory", Bar.of(FIXTURE, Precision.FP32));
        }
        device.memorySize(device.usedBytes() + needed - GRANULE);
        long calls = device.memoryCalls();
        assertThatThrownBy(() -> named().build())
                .isInstanceOfSatisfying(OutOfDeviceMemoryException.class, e -> {
                    FitReport report = e.report();
                    assertThat(report.neededBytes()).isEqualTo(needed);
                    assertThat(report.freeBytes()).isEqualTo(needed - GRANULE);
                    assertThat(report.verdict()).isEqualTo(FitReport.Verdict.FITS_WITH_REMEDY);
                    assertThat(report.remedy())
                            .isEqualTo(
                                    "Lower maxBatchTokens to " + report.room().largestTokenBudget() + " or use fp16.");
                })
                .hasMessageContaining("cuda:0 has");
        assertThat(device.memoryCalls() - calls)
                .as("allocations of the refused model")
                .isZero();
        int largest = named().fit().room().largestTokenBudget();
        try (Embedder embedder = builder().maxBatchTokens(largest).build()) {
            assertThat(embedder.embed("a ferry").size()).isEqualTo(1);
        }
        assertThatThrownBy(() -> builder().maxBatchTokens(largest + 1).build())
                .isInstanceOf(OutOfDeviceMemoryException.class);
    }

    @Test
    void twoModelsShareOneAccount() {
        long needed = named().fit().neededBytes();
        device.memorySize(device.usedBytes() + 2 * needed - 1);
        try (Embedder first = named().build()) {
            assertThatThrownBy(() -> named().build()).isInstanceOf(OutOfDeviceMemoryException.class);
            assertThat(first.embed("still here").size()).isEqualTo(1);
        }
        try (Embedder again = named().build()) {
            assertThat(again.embed("room again").size()).isEqualTo(1);
        }
    }

    /** Who leaves the budget open gets a smaller one, with the margin left free, and no precision but his own. */
    @Test
    void aBudgetThatIsLeftOpenIsLoweredUntilItFits() {
        long needed = named().fit().neededBytes();
        device.memorySize(device.usedBytes() + needed - GRANULE);
        FitReport report = builder().fit();
        assertThat(report.verdict()).isEqualTo(FitReport.Verdict.FITS);
        assertThat(report.tokenBudget()).isBetween(40, 16_383);
        assertThat(report.neededBytes()).isLessThanOrEqualTo((long) (0.9 * report.freeBytes()) + 1);
        assertThat(builder().memoryMargin(0).fit().tokenBudget()).isGreaterThan(report.tokenBudget());
        try (Embedder embedder = builder().build()) {
            assertThat(embedder.precision()).isEqualTo(Precision.FP32);
            assertThat(embedder.embed(FIXTURE.texts()).size())
                    .isEqualTo(FIXTURE.texts().size());
        }
        assertThat(builder().device("auto").precision(Precision.AUTO).fit().precision())
                .isEqualTo(Precision.FP16);
        device.memorySize(device.usedBytes() + GRANULE);
        assertThat(builder().device("auto").fit().device())
                .as("where nothing fits the GPU, auto takes the CPU or says no")
                .isEqualTo("cuda:0");
        assertThatThrownBy(() -> builder().build()).isInstanceOf(OutOfDeviceMemoryException.class);
    }

    @Test
    void aBudgetThatChangesTakesAndGivesBackWhatIsPlanned() {
        long before = device.usedBytes();
        long live = device.liveAllocations();
        try (Embedder embedder = builder().maxBatchTokens(999).build()) {
            long allocations = device.liveAllocations();
            for (int budget : new int[] {16_384, 40, 5000}) {
                embedder.resizeBudget(budget);
                assertThat(device.usedBytes() - before)
                        .isEqualTo(builder().maxBatchTokens(budget).fit().neededBytes());
                assertThat(device.liveAllocations()).isEqualTo(allocations);
                assertThat(embedder.embed(FIXTURE.texts()).size())
                        .isEqualTo(FIXTURE.texts().size());
            }
            long used = device.usedBytes();
            device.memorySize(used + GRANULE);
            assertThatThrownBy(() -> embedder.resizeBudget(16_384)).isInstanceOf(OutOfDeviceMemoryException.class);
            assertThat(device.usedBytes()).isEqualTo(used);
            assertThat(embedder.embed("as before").size()).isEqualTo(1);
        }
        assertThat(device.usedBytes()).isEqualTo(before);
        assertThat(device.liveAllocations()).isEqualTo(live);
    }

    /** Whatever call fails, the encoder goes on with one budget or the other, or says that it is lost. */
    @Test
    void aBudgetThatCannotChangeAfterAllIsAsBefore() {
        for (int n = 1; n < 40; n++) {
            try (Embedder embedder = builder().maxBatchTokens(999).build()) {
                device.failCall(n, CUDA_ERROR_OUT_OF_MEMORY);
                try {
                    embedder.resizeBudget(2000);
                } catch (OutOfDeviceMemoryException e) {
                    assertThat(e.report().tokenBudget()).isEqualTo(2000);
                }
                device.heal();
                assertThat(embedder.embed(FIXTURE.texts()).size())
                        .isEqualTo(FIXTURE.texts().size());
            }
        }
    }

    @Test
    void budgetsBeyondAllMeasureAreRefused() {
        assertThatThrownBy(() -> builder().maxBatchTokens(Integer.MAX_VALUE).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("maxBatchTokens 2147483647 is more than a batch on a GPU may have. Lower it to at most"
                        + " 16777216.");
        assertThatThrownBy(() -> builder().maxBatchTokens(1 << 24).build())
                .isInstanceOf(OutOfDeviceMemoryException.class);
    }
}
