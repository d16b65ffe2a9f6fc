// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class AccuracyTest {
    private static final double[][] REFERENCE = {{1, 0}, {0, 1}, {0.6, 0.8}};

    @Test
    void theWorstTextCounts() {
        Accuracy accuracy = Accuracy.compare(
                List.of(new float[] {2, 0}, new float[] {0.8f, 0.6f}), REFERENCE, List.of(0, 2), List.of());
        assertThat(accuracy.texts()).isEqualTo(2);
        assertThat(accuracy.refusedTexts()).isZero();
        assertThat(accuracy.worstText()).isEqualTo(2);
        assertThat(accuracy.maxError()).isCloseTo(Math.sqrt(0.08), within(1e-6));
        assertThat(accuracy.minCosine()).isCloseTo(0.96, within(1e-6));
        assertThat(accuracy.medianError()).isCloseTo(Math.sqrt(0.08) / 2, within(1e-6));
    }

    @Test
    void refusedTextsAreCountedAndNotAVectorIsTheWorst() {
        Accuracy accuracy = Accuracy.compare(
                List.of(new float[] {Float.NaN, 1}, new float[] {0.6f, 0.8f}),
                REFERENCE,
                List.of(1, 2),
                List.of("it is blank", "so is this"));
        assertThat(accuracy.texts()).isEqualTo(2);
        assertThat(accuracy.refusedTexts()).isEqualTo(2);
        assertThat(accuracy.refusal()).isEqualTo("it is blank");
        assertThat(accuracy.maxError()).isNaN();
        assertThat(accuracy.worstText()).isEqualTo(1);
    }
}
