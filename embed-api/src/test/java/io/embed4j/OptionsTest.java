// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class OptionsTest {

    // Per build

    @Test
    void defaultsAreTheEmbeddedModelOnTheBestDeviceInFp32() {
        assertThat(EmbedderOptions.defaults())
                .isEqualTo(new EmbedderOptions("embedded:all-minilm-l6-v2", "auto", Precision.FP32, 0, 0.1));
    }

    @Test
    void everySettingChangesItselfOnly() {
        EmbedderOptions options = EmbedderOptions.defaults()
                .withModel("/models/bge")
                .withDevice("cuda:1")
                .withPrecision(Precision.BF16)
                .withMaxBatchTokens(4096)
                .withMemoryMargin(0.25);
        assertThat(options).isEqualTo(new EmbedderOptions("/models/bge", "cuda:1", Precision.BF16, 4096, 0.25));
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "cpu", "cuda:0", "cuda:15", "cuda:*"})
    void knownDevicesAreTaken(String device) {
        assertThat(EmbedderOptions.defaults().withDevice(device).device()).isEqualTo(device);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "gpu", "CPU", "cuda", "cuda:", "cuda:-1", "cuda:12345", "cpu:0", " cpu"})
    void unknownDevicesAreNamed(String device) {
        assertThatThrownBy(() -> EmbedderOptions.defaults().withDevice(device))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "Unknown device \"" + device + "\". Use auto, cpu, cuda:N (for instance cuda:0) or cuda:*.");
    }

    @Test
    void aBlankModelAndANegativeBudgetAreRefused() {
        assertThatThrownBy(() -> EmbedderOptions.defaults().withModel("  "))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The model is blank. Name a directory or embedded:all-minilm-l6-v2.");
        assertThatThrownBy(() -> EmbedderOptions.defaults().withMaxBatchTokens(-1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("maxBatchTokens must be positive, or 0 to let the backend choose; found -1.");
        for (double margin : new double[] {-0.1, 1, Double.NaN}) {
            assertThatThrownBy(() -> EmbedderOptions.defaults().withMemoryMargin(margin))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("memoryMargin is the share of free memory that is left free, from 0 to below 1; found "
                            + margin + ".");
        }
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void precisionsAreReadAsTheyArePrinted(Precision precision) {
        assertThat(Precision.parse(precision.toString())).isEqualTo(precision);
        assertThat(Precision.parse(precision.name())).isEqualTo(precision);
    }

    @Test
    void anUnknownPrecisionListsTheKnownOnes() {
        assertThatThrownBy(() -> Precision.parse("fp64"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Unknown precision \"fp64\". Use auto, fp32, fp16, bf16 or int8.");
    }

    // Per call

    @Test
    void aPromptAndItsNameExcludeEachOther() {
        assertThat(EmbedOptions.defaults()
                        .withPromptName("query")
                        .withPrompt("q: ")
                        .promptName())
                .isNull();
        assertThat(EmbedOptions.defaults()
                        .withPrompt("q: ")
                        .withPromptName("query")
                        .prompt())
                .isNull();
        assertThatThrownBy(() -> new EmbedOptions(null, "query", "q: ", 0, TruncationPolicy.TRUNCATE, null, null))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Give a prompt name or a prompt, not both; found \"query\" and \"q: \".");
    }

    @Test
    void aNegativeDimensionIsRefused() {
        assertThatThrownBy(() -> EmbedOptions.defaults().withDimension(-5))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The output dimension must be positive, or 0 for the model's; found -5.");
    }

    @Test
    void everyCallSettingChangesItselfOnly() {
        PoolingSpec pooling = PoolingSpec.of(PoolingMode.CLS);
        EmbedOptions options = EmbedOptions.defaults()
                .withPrompt("")
                .withDimension(12)
                .withTruncation(TruncationPolicy.CHUNK)
                .withNormalize(false)
                .withPooling(pooling);
        assertThat(options).isEqualTo(new EmbedOptions(null, null, "", 12, TruncationPolicy.CHUNK, false, pooling));
    }

    @Test
    void poolingNeedsAMode() {
        assertThatThrownBy(PoolingSpec::of)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Pooling needs at least one mode.");
    }

    @Test
    void vectorsThatCannotBeComparedAreRefused() {
        for (SimilarityFunction function : SimilarityFunction.values()) {
            assertThat(SimilarityFunction.parse(function.toString())).isEqualTo(function);
            assertThatThrownBy(() -> function.between(new float[2], new float[3]))
                    .hasMessage("Vectors of 2 and 3 numbers cannot be compared.");
            assertThat(function.between(new float[2], new float[2])).isZero();
        }
        assertThatThrownBy(() -> SimilarityFunction.parse("Cosine")).hasMessageContaining("\"Cosine\"");
    }
}
