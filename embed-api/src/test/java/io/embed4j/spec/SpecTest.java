// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What the architecture records refuse, and the weights that follow from them. */
class SpecTest {
    private static final NormSpec NORM = NormSpec.layerNorm(1e-12, true);

    private static EncoderSpec bert(PoolingSpec pooling, List<HeadModule> head) {
        LayerSpec layer = new LayerSpec(
                AttentionSpec.bidirectional(3, 12, true),
                new FeedForwardSpec(33, Activation.GELU_ERF, false, true, true),
                LayerSpec.NormPlacement.POST,
                NORM,
                true);
        EmbeddingSpec embedding =
                new EmbeddingSpec(701, 36, 2, EmbeddingSpec.LearnedPositions.ofEveryToken(64), 1, Optional.of(NORM));
        return new EncoderSpec(36, embedding, Collections.nCopies(2, layer), Optional.empty(), pooling, head, false);
    }

    @Test
    void everyWeightOfABertIsListedOnce() {
        EncoderSpec spec = bert(PoolingSpec.of(PoolingMode.MEAN), List.of(new HeadModule.Normalize()));
        assertThat(spec.weightShapes()).hasSize(5 + 2 * 16).doesNotHaveDuplicates();
        assertThat(spec.weightShapes())
                .contains(
                        new WeightShape(WeightRole.TOKEN_EMBEDDING, 0, List.of(701, 36)),
                        new WeightShape(WeightRole.QUERY, 1, List.of(36, 36)),
                        new WeightShape(WeightRole.FEED_FORWARD_UP, 0, List.of(33, 36)),
                        new WeightShape(WeightRole.FEED_FORWARD_DOWN, 1, List.of(36, 33)));
    }

    @Test
    void positionsCountEveryTokenOrPassOverPadding() {
        int[] tokens = {0, 9, 1, 1, 9, 2};
        assertThat(EmbeddingSpec.LearnedPositions.ofEveryToken(64).rows(tokens)).containsExactly(0, 1, 2, 3, 4, 5);
        EmbeddingSpec.LearnedPositions roberta = EmbeddingSpec.LearnedPositions.behindPadding(66, 1);
        assertThat(roberta.rows(tokens)).containsExactly(2, 3, 1, 1, 4, 5);
        assertThat(roberta.usablePositions()).isEqualTo(64);
        assertThat(new EmbeddingSpec.PositionsInAttention(8).rows(tokens)).containsExactly(0, 1, 2, 3, 4, 5);
    }

    @Test
    void denseModulesChangeTheWidthAndHaveWeights() {
        HeadModule dense = new HeadModule.Dense(72, 20, true, Activation.TANH);
        EncoderSpec spec =
                bert(PoolingSpec.of(PoolingMode.CLS, PoolingMode.MEAN), List.of(dense, new HeadModule.Normalize()));
        assertThat(spec.outputSize()).isEqualTo(20);
        assertThat(spec.normalizes()).isTrue();
        assertThat(spec.weightShapes())
                .contains(
                        new WeightShape(WeightRole.HEAD_DENSE, 0, List.of(20, 72)),
                        new WeightShape(WeightRole.HEAD_DENSE_BIAS, 0, List.of(20)));
        assertThatThrownBy(() -> bert(PoolingSpec.of(PoolingMode.CLS), List.of(dense)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expects 72 numbers but gets 36.");
    }

    @Test
    void sizesThatCannotBeAreRefused() {
        assertThatThrownBy(() -> AttentionSpec.bidirectional(2, 257, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Head size must lie between 1 and 256, found 257.");
        assertThatThrownBy(() -> AttentionSpec.bidirectional(0, 12, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found 0 and 0");
        assertThatThrownBy(() -> NormSpec.layerNorm(0, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Norm epsilon must lie between 0 and 1, found 0.0.");
        assertThatThrownBy(() -> NormSpec.rmsNorm(Double.NaN))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Norm epsilon must lie between 0 and 1, found NaN.");
        assertThatThrownBy(() -> new FeedForwardSpec(0, Activation.RELU, false, true, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Feed-forward width must be positive, found 0.");
        assertThatThrownBy(() -> EmbeddingSpec.LearnedPositions.behindPadding(2, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("A position table of 2 rows has no room behind offset 2.");
        assertThatThrownBy(() -> new RotarySpec(10_000, 7, RotarySpec.Pairing.HALVES, RopeScaling.none()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Rotary dimension must be a positive even number, found 7.");
    }

    /** First distance of each bucket from 8 on, read off transformers' MPNet: 8, 12, 16, 23, 32, 46, 64, 91. */
    @Test
    void distancesFallIntoTheBucketsOfTheReference() {
        AttentionBias.RelativeBuckets buckets = new AttentionBias.RelativeBuckets(32, 128);
        int[] firstOfBucket = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
        for (int bucket = 0; bucket < firstOfBucket.length; bucket++) {
            int distance = firstOfBucket[bucket];
            assertThat(buckets.bucket(-distance)).isEqualTo(bucket);
            if (distance > 0) {
                assertThat(buckets.bucket(distance)).isEqualTo(16 + bucket);
                assertThat(buckets.bucket(1 - distance)).isEqualTo(bucket - 1);
            }
        }
        assertThat(buckets.bucket(-5000)).isEqualTo(15);
        assertThat(buckets.bucket(5000)).isEqualTo(31);
    }
}
