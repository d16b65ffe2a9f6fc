// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class SpreadTest {

    @Test
    void theMedianIsTheMiddle() {
        assertThat(Spread.of(3, 100, 1)).isEqualTo(new Spread(3, 1, 100));
        assertThat(Spread.of(4, 1, 2, 100)).isEqualTo(new Spread(3, 1, 100));
        assertThat(Spread.of(7)).isEqualTo(new Spread(7, 7, 7));
    }

    @Test
    void valuesStayInTheirOrder() {
        double[] values = {3, 1, 2};
        Spread.of(values);
        assertThat(values).containsExactly(3, 1, 2);
    }

    /** The machine was four times as slow in the second round; the medians' ratio would be 1, the paired one is 2. */
    @Test
    void ratiosArePairedRoundByRound() {
        double[] baseline = {2, 8, 2.2};
        double[] rival = {1, 4, 2.2};
        assertThat(Spread.ofPairedRatios(baseline, rival)).isEqualTo(new Spread(2, 1, 2));
    }

    @Test
    void nothingAndUnpairedRoundsAreRefused() {
        assertThatThrownBy(Spread::of).hasMessage("There is nothing to sum up.");
        assertThatThrownBy(() -> Spread.ofPairedRatios(new double[2], new double[3]))
                .hasMessage("2 rounds cannot be paired with 3.");
    }
}
