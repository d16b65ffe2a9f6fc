// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.core.math.SixteenBits;
import io.embed4j.spec.DType;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The margin against scans in fp32 of all sorts, and the true score in decimal arithmetic. */
class ScoreMarginTest {

    private static float[] random(Random random, int dimension, double scale, boolean cancelling) {
        float[] vector = new float[dimension];
        for (int i = 0; i < dimension; i++) {
            vector[i] =
                    (float) (random.nextGaussian() * scale * (cancelling ? Math.scalb(1.0, random.nextInt(30)) : 1));
        }
        return vector;
    }

    private static double exact(float[] a, float[] b) {
        BigDecimal sum = BigDecimal.ZERO;
        for (int i = 0; i < a.length; i++) {
            sum = sum.add(new BigDecimal(a[i]).multiply(new BigDecimal(b[i])));
        }
        return sum.doubleValue();
    }

    /** One accumulator, or several, with or without fused multiply-add. */
    private static float scan(float[] a, float[] b, int accumulators, boolean fused) {
        float[] sums = new float[accumulators];
        for (int i = 0; i < a.length; i++) {
            int at = i % accumulators;
            sums[at] = fused ? Math.fma(a[i], b[i], sums[at]) : sums[at] + a[i] * b[i];
        }
        float sum = 0;
        for (float part : sums) {
            sum += part;
        }
        return sum;
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void noScanIsFartherOffThanTheMargin(DType storage) {
        Random random = new Random(1);
        double largestShare = 0;
        for (int round = 0; round < 3000; round++) {
            int dimension = 1 + random.nextInt(300);
            double scale = Math.pow(10, random.nextInt(8) - (storage == DType.FP16 ? 8 : 40));
            float[] query = random(random, dimension, Math.pow(10, random.nextInt(20) - 10), round % 2 == 0);
            float[] row = random(random, dimension, scale, storage != DType.FP16 && round % 3 == 0);
            float[] stored = new float[dimension];
            for (int i = 0; i < dimension; i++) {
                stored[i] = SixteenBits.round(row[i], storage);
            }
            double margin = new ScoreMargin(dimension, ScoreMargin.FP32_ROUNDING)
                    .of(RowBounds.of(query, 0, dimension, DType.FP32), RowBounds.of(row, 0, dimension, storage));
            double truth = ExactRescorer.score(query, 0, row, 0, dimension);
            assertThat(Math.abs(truth - exact(query, row))).isLessThanOrEqualTo(margin);
            for (int accumulators : new int[] {1, 4, 16}) {
                for (boolean fused : new boolean[] {false, true}) {
                    double error = Math.abs(scan(query, stored, accumulators, fused) - truth);
                    assertThat(error).as("round %s", round).isLessThanOrEqualTo(margin);
                    largestShare = Math.max(largestShare, error / margin);
                }
            }
        }
        System.out.printf("%s: at most %.0f %% of the margin%n", storage, 100 * largestShare);
    }

    /** All roundings against the query: the storage's part of the margin is not wasteful. */
    @ParameterizedTest
    @EnumSource(names = {"FP16", "BF16"})
    void theWorstRoundingComesNearTheMargin(DType storage) {
        int dimension = 256;
        float step = storage == DType.FP16 ? 0x1p-14f : 0x1p-11f;
        float[] query = new float[dimension];
        float[] row = new float[dimension];
        for (int i = 0; i < dimension; i++) {
            query[i] = 1 / 16f;
            row[i] = 1 / 16f + 0.499f * step;
        }
        double margin = new ScoreMargin(dimension, ScoreMargin.FP32_ROUNDING)
                .of(RowBounds.of(query, 0, dimension, DType.FP32), RowBounds.of(row, 0, dimension, storage));
        float[] stored = new float[dimension];
        for (int i = 0; i < dimension; i++) {
            stored[i] = SixteenBits.round(row[i], storage);
        }
        double error = Math.abs(scan(query, stored, 4, false) - ExactRescorer.score(query, 0, row, 0, dimension));
        assertThat(error).isBetween(0.9 * margin, margin);
    }

    @Test
    void whatMayOverflowHasNoMargin() {
        ScoreMargin margin = new ScoreMargin(8, ScoreMargin.FP32_ROUNDING);
        assertThat(margin.of(new RowBounds(1e20, 0), new RowBounds(1e20, 0))).isInfinite();
        assertThat(margin.of(new RowBounds(1, 0), new RowBounds(1, Double.POSITIVE_INFINITY)))
                .isInfinite();
        assertThat(margin.of(new RowBounds(1, 0), new RowBounds(1, Double.NaN))).isInfinite();
        assertThat(margin.of(new RowBounds(1e18, 0), new RowBounds(1e18, 0))).isFinite();
        assertThat(new ScoreMargin(1 << 24, ScoreMargin.FP32_ROUNDING).of(new RowBounds(1, 0), new RowBounds(1, 0)))
                .isInfinite();
    }
}
