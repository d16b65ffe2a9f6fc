// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.fit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.embed4j.FitReport.Throughput;
import io.embed4j.GpuCard;
import io.embed4j.Precision;
import io.embed4j.spec.Activation;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RooflineTest {
    private static final EncoderSpec MINILM = minilm();

    /** The shape of all-MiniLM-L6-v2. */
    private static EncoderSpec minilm() {
        NormSpec norm = NormSpec.layerNorm(1e-12, true);
        LayerSpec layer = new LayerSpec(
                AttentionSpec.bidirectional(12, 32, true),
                new FeedForwardSpec(1536, Activation.GELU_ERF, false, true, true),
                LayerSpec.NormPlacement.POST,
                norm,
                true);
        return new EncoderSpec(
                384,
                new EmbeddingSpec(
                        30522, 384, 2, EmbeddingSpec.LearnedPositions.ofEveryToken(512), 1, Optional.of(norm)),
                Collections.nCopies(6, layer),
                Optional.empty(),
                PoolingSpec.of(PoolingMode.MEAN),
                List.of(new HeadModule.Normalize()),
                false);
    }

    @Test
    void theNumbersAreThoseOfThePerformanceDocument() {
        Throughput estimate = Roofline.estimate(MINILM, Precision.FP16, GpuCards.named("H200"), 16_384)
                .orElseThrow();
        assertThat(estimate.textTokens()).isEqualTo(128);
        // 21.2 MFLOP of products and 1.2 of attention; 83 KB between products, and 21 MB of weights once per batch.
        double seconds = (21.2e6 + 1.2e6) / 989.5e12 + (83e3 + 21.2e6 / 16_384) / 4.8e12;
        assertThat(estimate.tokensPerSecond()).isCloseTo(1 / seconds, within(0.02 / seconds));
        assertThat(estimate.formula())
                .contains("22.4 MFLOP at 990 TFLOP/s", "KB at 4800 GB/s", "H200 in fp16", "texts of 128 tokens");
    }

    @Test
    void whatIsNotKnownIsNotEstimated() {
        GpuCard card = new GpuCard("x", 1, null, 1e14, "8.0", "");
        assertThat(Roofline.estimate(MINILM, Precision.FP16, card, 1024)).isEmpty();
        GpuCard other = new GpuCard("x", 1, 1e12, null, "8.0", "");
        assertThat(Roofline.estimate(MINILM, Precision.FP16, other, 1024)).isEmpty();
        assertThat(Roofline.estimate(MINILM, Precision.FP32, GpuCards.named("H200"), 1024))
                .isEmpty();
    }

    @Test
    void smallWeightsReadFasterInSmallBatches() {
        GpuCard card = GpuCards.named("L4");
        double half = Roofline.estimate(MINILM, Precision.FP16, card, 512)
                .orElseThrow()
                .tokensPerSecond();
        double eight = Roofline.estimate(MINILM, Precision.INT8, card, 512)
                .orElseThrow()
                .tokensPerSecond();
        double four = Roofline.estimate(MINILM, Precision.INT4, card, 512)
                .orElseThrow()
                .tokensPerSecond();
        assertThat(eight).isGreaterThan(half);
        assertThat(four).isGreaterThan(eight);
    }
}
