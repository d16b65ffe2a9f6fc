// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.embed4j.EmbedException;
import io.embed4j.Embeddings;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.OutputRequest;
import java.util.List;
import org.junit.jupiter.api.Test;

class PooledCallTest {

    private static OutputRequest.Pooled request(int dimension, boolean normalize) {
        return new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.MEAN), dimension, normalize);
    }

    /** Of {@code tokenCount} tokens, {@code length} went through the encoder. */
    private static TokenizedText text(int length, int tokenCount) {
        return new TokenizedText(new int[length], new int[length], tokenCount, 0, List.of());
    }

    @Test
    void rowsComeInAnyOrderAndLeaveInTheTextsOrder() {
        PooledCall call = new PooledCall(List.of(List.of(text(3, 3)), List.of(text(4, 9))), request(2, true));
        assertThat(call.rows()).hasSize(2);
        call.accept(1, new float[] {9, 9, 5, 6}, 2, 2);
        call.accept(0, new float[] {7, 8}, 0, 2);
        Embeddings vectors = call.result();
        assertThat(vectors.toArray()).isDeepEqualTo(new float[][] {{7, 8}, {5, 6}});
        assertThat(List.of(vectors.tokenCount(0), vectors.tokenCount(1))).containsExactly(3, 9);
        assertThat(List.of(vectors.truncated(0), vectors.truncated(1))).containsExactly(false, true);
    }

    @Test
    void chunksAreMergedByTokenCountAndNormalizedAgain() {
        List<List<TokenizedText>> texts = List.of(List.of(text(2, 2)), List.of(text(3, 3), text(1, 1)));
        PooledCall unit = new PooledCall(texts, request(2, true));
        PooledCall plain = new PooledCall(texts, request(2, false));
        for (PooledCall call : List.of(unit, plain)) {
            call.accept(0, new float[] {0.6f, 0.8f}, 0, 2);
            call.accept(1, new float[] {1, 0}, 0, 2);
            call.accept(2, new float[] {0, 1}, 0, 2);
        }
        // 3 (1, 0) + 1 (0, 1), by its length or by its weights; the text that was not cut stays as it is.
        float root = (float) Math.sqrt(10);
        assertThat(unit.result().vector(1)).containsExactly(new float[] {3 / root, 1 / root}, within(1e-7f));
        assertThat(plain.result().vector(1)).containsExactly(0.75f, 0.25f);
        assertThat(unit.result().vector(0)).containsExactly(0.6f, 0.8f);
        assertThat(plain.result().vector(0)).containsExactly(0.6f, 0.8f);
        assertThat(unit.result().tokenCount(1)).isEqualTo(4);
        assertThat(unit.result().truncated(1)).isFalse();
    }

    @Test
    void chunksThatCancelOutGiveZerosNotNaN() {
        PooledCall call = new PooledCall(List.of(List.of(text(1, 1), text(1, 1))), request(1, true));
        call.accept(0, new float[] {1}, 0, 1);
        call.accept(1, new float[] {-1}, 0, 1);
        assertThat(call.result().vector(0)).containsExactly(0);
    }

    @Test
    void moreThanAnArrayHoldsIsAnErrorThatSaysToStream() {
        List<List<TokenizedText>> texts = List.of(List.of(text(1, 1)), List.of(text(1, 1)));
        assertThatThrownBy(() -> new PooledCall(texts, request(1 << 30, true)))
                .isInstanceOf(EmbedException.class)
                .hasMessage(
                        "2 vectors of 1073741824 numbers are more than one array can hold. Use stream(...), which needs"
                                + " constant memory.");
    }
}
