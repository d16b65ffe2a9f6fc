// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedderOptions;
import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.device.Backends;
import io.embed4j.core.device.FakeBackend;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.model.ModelOutline;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.testkit.Fixture;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is left open goes to where it fits; what is named is kept or refused. A token takes ten bytes here. */
class ChosenDeviceTest {
    private static final ModelOutline MODEL =
            ModelLoader.outline(Fixture.load("bert-h48-a2").model());
    private static final EmbedderOptions AUTO = EmbedderOptions.defaults();

    private static MemoryPlan tenAToken(int budget) {
        return new MemoryPlan(100, 10L * budget, 0);
    }

    /** Largest budget in so many bytes. */
    private static int budgetIn(double bytes) {
        return (int) ((bytes - 100) / 10);
    }

    private final AtomicInteger open = new AtomicInteger();

    private FakeBackend device(String id, int priority, long freeBytes) {
        return device(id, priority, freeBytes, ChosenDeviceTest::tenAToken);
    }

    private FakeBackend device(String id, int priority, long freeBytes, IntFunction<MemoryPlan> plan) {
        String name = id.replaceAll(":.*", "");
        return new FakeBackend(name, priority, List.of(FakeBackend.usable(id)), plan, freeBytes, open);
    }

    private static FitReport choose(EmbedderOptions options, FakeBackend... backends) {
        try (ChosenDevice chosen = ChosenDevice.choose(new Backends(List.of(backends), List.of()), MODEL, options)) {
            return chosen.report();
        }
    }

    @AfterEach
    void everyDeviceIsGivenBack() {
        assertThat(open).hasValue(0);
    }

    @Test
    void theBestDeviceIsTakenWithItsOwnBudget() {
        FitReport report = choose(AUTO, device("cuda:0", 10, 20_000), device("cpu", 0, 90_000));
        assertThat(report.device()).isEqualTo("cuda:0");
        assertThat(report.tokenBudget()).isEqualTo(1000);
    }

    @Test
    void aBudgetThatDoesNotFitIsLoweredByTheMargin() {
        FitReport report = choose(AUTO, device("cuda:0", 10, 8000));
        assertThat(report.verdict()).isEqualTo(FitReport.Verdict.FITS);
        assertThat(report.tokenBudget()).isEqualTo(budgetIn(0.9 * 8000));
        assertThat(choose(AUTO.withMemoryMargin(0.5), device("cuda:0", 10, 8000))
                        .tokenBudget())
                .isEqualTo(budgetIn(0.5 * 8000));
        assertThat(choose(AUTO.withMemoryMargin(0), device("cuda:0", 10, 8000)).tokenBudget())
                .isEqualTo(budgetIn(8000));
    }

    @Test
    void autoStepsDownWhereNotEvenOneTextFits() {
        FitReport report = choose(AUTO, device("cuda:0", 10, 400), device("cpu", 0, 90_000));
        assertThat(report.device()).isEqualTo("cpu");
    }

    /** 40 tokens need 500 bytes: they fit the GPU only without its margin, and the CPU with it. */
    @Test
    void theMarginCountsBeforeTheRank() {
        assertThat(choose(AUTO, device("cuda:0", 10, 510), device("cpu", 0, 90_000))
                        .device())
                .isEqualTo("cpu");
        FitReport tight = choose(AUTO, device("cuda:0", 10, 510), device("cpu", 0, 505));
        assertThat(tight.device())
                .as("without a margin the better device counts")
                .isEqualTo("cuda:0");
        assertThat(tight.tokenBudget()).isEqualTo(41);
    }

    @Test
    void aBudgetThatIsNamedIsKeptOrRefused() {
        EmbedderOptions named = AUTO.withMaxBatchTokens(700);
        assertThat(choose(named, device("cuda:0", 10, 7200)).tokenBudget())
                .as("without the margin")
                .isEqualTo(700);
        assertThat(choose(named, device("cuda:0", 10, 7000), device("cpu", 0, 90_000))
                        .device())
                .isEqualTo("cpu");
        FitReport refused = choose(named, device("cuda:0", 10, 7000), device("cpu", 0, 6000));
        assertThat(refused.verdict()).isEqualTo(FitReport.Verdict.FITS_WITH_REMEDY);
        assertThat(refused.tokenBudget()).isEqualTo(700);
        assertThat(refused.device()).isEqualTo("cuda:0");
        assertThat(refused.remedy()).isEqualTo("Lower maxBatchTokens to 690.");
        Backends backends = new Backends(List.of(device("cuda:0", 10, 7000)), List.of());
        assertThatThrownBy(() -> ChosenDevice.choose(backends, MODEL, named).requireFitting())
                .isInstanceOf(OutOfDeviceMemoryException.class);
    }

    @Test
    void aDeviceThatIsNamedIsKeptOrRefused() {
        FakeBackend gpu = device("cuda:0", 10, 90_000);
        FakeBackend cpu = device("cpu", 0, 400);
        FitReport report = choose(AUTO.withDevice("cpu"), gpu, cpu);
        assertThat(report.device()).isEqualTo("cpu");
        assertThat(report.verdict()).isEqualTo(FitReport.Verdict.DOES_NOT_FIT);
        assertThat(report.remedy())
                .isEqualTo("It is short by 9700 bytes; texts of at most 30 tokens would fit (max_seq_length in"
                        + " sentence_bert_config.json).");
        assertThatThrownBy(() -> choose(AUTO.withPrecision(Precision.FP16), gpu))
                .isInstanceOf(UnsupportedModelException.class)
                .hasMessageContaining("does not offer the precision fp16. It offers [fp32]");
    }

    @Test
    void autoPassesOverDevicesThatCannotRunTheModel() {
        FakeBackend gpu = device("cuda:0", 10, 90_000, budget -> {
            throw new UnsupportedModelException("No kernel for it.");
        });
        assertThat(choose(AUTO, gpu, device("cpu", 0, 90_000)).device()).isEqualTo("cpu");
        assertThatThrownBy(() -> choose(AUTO, gpu))
                .isInstanceOf(UnsupportedModelException.class)
                .hasMessage("No kernel for it.");
        assertThat(choose(AUTO, gpu, device("cpu", 0, 400)).device()).isEqualTo("cpu");
    }
}
