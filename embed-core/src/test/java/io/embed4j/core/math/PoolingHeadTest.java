// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.embed4j.ModelFormatException;
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
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Numbers small enough to be checked by hand. */
class PoolingHeadTest {
    private static final NormSpec NORM = NormSpec.layerNorm(1e-5, true);

    @TempDir
    private Path folder;

    /** An encoder of two numbers a token; only its head matters here. */
    private static EncoderSpec spec(PoolingSpec pooling, HeadModule... head) {
        LayerSpec layer = new LayerSpec(
                AttentionSpec.bidirectional(1, 2, true),
                new FeedForwardSpec(2, Activation.RELU, false, true, true),
                LayerSpec.NormPlacement.POST,
                NORM,
                true);
        return new EncoderSpec(
                2,
                new EmbeddingSpec(10, 2, 2, EmbeddingSpec.LearnedPositions.ofEveryToken(9), 1, Optional.of(NORM)),
                List.of(layer),
                Optional.empty(),
                pooling,
                List.of(head),
                false);
    }

    /** Rows of the given lengths; pooling begins at the given tokens. */
    private static PackedBatch batch(int[] lengths, int... poolStarts) {
        List<int[]> rows = IntStream.of(lengths).mapToObj(int[]::new).toList();
        List<int[]> places = rows.stream()
                .map(row -> IntStream.range(0, row.length).toArray())
                .toList();
        return PackedBatch.of(rows, rows, places, poolStarts);
    }

    private static float[] pool(PoolingMode mode, PackedBatch batch, float... hidden) {
        PoolingSpec pooling = PoolingSpec.of(mode);
        PoolingHead head = new PoolingHead(spec(pooling), (role, index) -> Optional.empty());
        return head.apply(batch, FloatBuffer.wrap(hidden), new OutputRequest.Pooled(pooling, 2, false));
    }

    private float[] oneToken(FakeWeights weights, int dimension, boolean normalize, float[] token, HeadModule... head) {
        PoolingSpec pooling = PoolingSpec.of(PoolingMode.CLS);
        return new PoolingHead(spec(pooling, head), weights)
                .apply(
                        batch(new int[] {1}, 0),
                        FloatBuffer.wrap(token),
                        new OutputRequest.Pooled(pooling, dimension, normalize));
    }

    private static float[] floats(float... values) {
        return values;
    }

    // Pooling: rows (1, 10) (2, -20) (6, 40) and (7, 8)

    private static final float[] HIDDEN = {1, 10, 2, -20, 6, 40, 7, 8};

    @Test
    void poolingModesAreTheirFormulas() {
        PackedBatch batch = batch(new int[] {3, 1}, 0, 0);
        assertThat(pool(PoolingMode.CLS, batch, HIDDEN)).containsExactly(1, 10, 7, 8);
        assertThat(pool(PoolingMode.LAST_TOKEN, batch, HIDDEN)).containsExactly(6, 40, 7, 8);
        assertThat(pool(PoolingMode.MAX, batch, HIDDEN)).containsExactly(6, 40, 7, 8);
        assertThat(pool(PoolingMode.MEAN, batch, HIDDEN)).containsExactly(3, 10, 7, 8);
        float root = (float) Math.sqrt(3);
        assertThat(pool(PoolingMode.MEAN_SQRT_LENGTH, batch, HIDDEN))
                .containsExactly(floats(9 / root, 30 / root, 7, 8), within(1e-6f));
        // (1 + 2*2 + 3*6) / 6 and (10 - 2*20 + 3*40) / 6
        assertThat(pool(PoolingMode.WEIGHTED_MEAN, batch, HIDDEN))
                .containsExactly(floats(23 / 6f, 15, 7, 8), within(1e-6f));
    }

    @Test
    void promptTokensAreLeftOutButKeepTheirPlaces() {
        PackedBatch batch = batch(new int[] {3, 1}, 1, 0);
        assertThat(pool(PoolingMode.MEAN, batch, HIDDEN)).containsExactly(4, 10, 7, 8);
        assertThat(pool(PoolingMode.MAX, batch, HIDDEN)).containsExactly(6, 40, 7, 8);
        assertThat(pool(PoolingMode.LAST_TOKEN, batch, HIDDEN)).containsExactly(6, 40, 7, 8);
        // Places count from the row's beginning: (2*2 + 3*6) / 5 and (-2*20 + 3*40) / 5.
        assertThat(pool(PoolingMode.WEIGHTED_MEAN, batch, HIDDEN))
                .containsExactly(floats(22 / 5f, 16, 7, 8), within(1e-6f));
    }

    @Test
    void modesAreConcatenatedInTheirOrder() {
        PoolingSpec both = PoolingSpec.of(PoolingMode.MAX, PoolingMode.CLS);
        float[] vectors = new PoolingHead(spec(both), (role, index) -> Optional.empty())
                .apply(batch(new int[] {2}, 0), FloatBuffer.wrap(HIDDEN), new OutputRequest.Pooled(both, 4, false));
        assertThat(vectors).containsExactly(2, 10, 1, 10);
    }

    @Test
    void tokensAreReadFromTheBuffersPosition() {
        FloatBuffer hidden = FloatBuffer.wrap(HIDDEN).position(2);
        PoolingSpec mean = PoolingSpec.of(PoolingMode.MEAN);
        float[] vectors = new PoolingHead(spec(mean), (role, index) -> Optional.empty())
                .apply(batch(new int[] {1, 2}, 0, 0), hidden, new OutputRequest.Pooled(mean, 2, false));
        assertThat(vectors).containsExactly(2, -20, 6.5f, 24);
        assertThat(hidden.position()).isEqualTo(2);
    }

    @Test
    void longSumsDoNotLoseSmallNumbers() {
        float[] hidden = new float[2 * 4001];
        hidden[0] = 1e8f;
        for (int token = 1; token < 4001; token++) {
            hidden[2 * token] = 1;
        }
        // In fp32, 1e8 + 1 is 1e8: the sum would be 4000 short.
        assertThat(pool(PoolingMode.MEAN, batch(new int[] {4001}, 0), hidden)[0])
                .isEqualTo((float) (100_004_000.0 / 4001));
    }

    // Head

    @Test
    void denseIsMatrixBiasAndActivation() {
        FakeWeights weights = new FakeWeights(folder)
                .with(WeightRole.HEAD_DENSE, 0, List.of(3, 2), 1, 2, 3, 4, 5, -6)
                .with(WeightRole.HEAD_DENSE_BIAS, 0, List.of(3), 0.5f, -1, 0);
        float[] token = {2, 1};
        // 2 + 2 + 0.5, 6 + 4 - 1, 10 - 6
        assertThat(oneToken(weights, 3, false, token, new HeadModule.Dense(2, 3, true, Activation.IDENTITY)))
                .containsExactly(4.5f, 9, 4);
        assertThat(oneToken(weights, 3, false, token, new HeadModule.Dense(2, 3, false, Activation.IDENTITY)))
                .containsExactly(4, 10, 4);
        assertThat(oneToken(weights, 3, false, floats(-2, 0.5f), new HeadModule.Dense(2, 3, true, Activation.RELU)))
                .containsExactly(0, 0, 0);
        assertThat(oneToken(weights, 3, false, token, new HeadModule.Dense(2, 3, true, Activation.TANH)))
                .containsExactly((float) Math.tanh(4.5), (float) Math.tanh(9), (float) Math.tanh(4));
    }

    @Test
    void layerNormIsMeanVarianceGainAndBias() {
        FakeWeights weights = new FakeWeights(folder)
                .with(WeightRole.HEAD_NORM_GAIN, 0, List.of(2), 10, 100)
                .with(WeightRole.HEAD_NORM_BIAS, 0, List.of(2), 1, 2);
        // (3, 7): mean 5, variance 4; with epsilon 0.41 the divisor is 2.1.
        float[] token = {3, 7};
        NormSpec norm = NormSpec.layerNorm(0.41, true);
        assertThat(oneToken(weights, 2, false, token, new HeadModule.LayerNorm(2, norm)))
                .containsExactly(floats((float) (-2 / 2.1 * 10 + 1), (float) (2 / 2.1 * 100 + 2)), within(1e-5f));
        NormSpec plain = new NormSpec(NormSpec.Kind.LAYER_NORM, 0.41, false, 1);
        assertThat(oneToken(weights, 2, false, token, new HeadModule.LayerNorm(2, plain)))
                .containsExactly(floats((float) (-2 / 2.1 * 11), (float) (2 / 2.1 * 101)), within(1e-5f));
    }

    @Test
    void rmsNormTakesNoMean() {
        FakeWeights weights = new FakeWeights(folder).with(WeightRole.HEAD_NORM_GAIN, 0, List.of(2), 1, 1);
        // (1, 7): mean square 25; with epsilon 0.01 the divisor is sqrt(25.01).
        assertThat(oneToken(weights, 2, false, floats(1, 7), new HeadModule.LayerNorm(2, NormSpec.rmsNorm(0.01))))
                .containsExactly(floats((float) (1 / Math.sqrt(25.01)), (float) (7 / Math.sqrt(25.01))), within(1e-6f));
    }

    @Test
    void modulesFollowOneAnotherAndWeightsGoByPlace() {
        FakeWeights weights = new FakeWeights(folder)
                .with(WeightRole.HEAD_DENSE, 0, List.of(2, 2), 0, 3, 4, 0)
                .with(WeightRole.HEAD_DENSE, 2, List.of(1, 2), 10, 100);
        // (1, 1) -> (3, 4) -> (0.6, 0.8) -> 6 + 80
        assertThat(oneToken(
                        weights,
                        1,
                        false,
                        floats(1, 1),
                        new HeadModule.Dense(2, 2, false, Activation.IDENTITY),
                        new HeadModule.Normalize(),
                        new HeadModule.Dense(2, 1, false, Activation.IDENTITY)))
                .containsExactly(86);
    }

    @Test
    void vectorsAreCutBeforeTheyAreNormalized() {
        FakeWeights none = new FakeWeights(folder);
        float[] token = {-3, 4};
        assertThat(oneToken(none, 2, true, token, new HeadModule.Normalize())).containsExactly(-0.6f, 0.8f);
        assertThat(oneToken(none, 1, true, token, new HeadModule.Normalize())).containsExactly(-1);
        assertThat(oneToken(none, 2, false, token, new HeadModule.Normalize()))
                .as("the closing Normalize is the request's business")
                .containsExactly(-3, 4);
        assertThat(oneToken(none, 2, true, floats(0, 0))).containsExactly(0, 0);
    }

    @Test
    void aMissingWeightIsNamed() {
        assertThatThrownBy(() -> oneToken(
                        new FakeWeights(folder),
                        3,
                        false,
                        floats(1, 1),
                        new HeadModule.Dense(2, 3, true, Activation.IDENTITY)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("The model has no weight for HEAD_DENSE.");
    }
}
