// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.core.math.SixteenBits;
import io.embed4j.spec.DType;

/**
 * How long rows are at most, and how far their stored numbers are from the true ones. Both are computed in float64 and
 * rounded up.
 *
 * @param norm the largest Euclidean length of a row
 * @param error the largest Euclidean distance between a row and what is stored of it; 0 in fp32
 */
public record RowBounds(double norm, double error) {
    /** Of no rows. */
    public static final RowBounds NONE = new RowBounds(0, 0);

    /**
     * Above the relative error of a float64 sum of up to 2^30 squares and its root, 2^30 * 2^-53 and a little: what is
     * multiplied by it is an upper bound.
     */
    private static final double ROUND_UP = 1 + 0x1p-22;

    /**
     * Measures one vector.
     *
     * @param values holds [D]
     * @param from where
     * @param dimension D
     * @param storage how it is stored
     */
    public static RowBounds of(float[] values, int from, int dimension, DType storage) {
        double square = 0;
        double errorSquare = 0;
        for (int i = from; i < from + dimension; i++) {
            double value = values[i];
            square += value * value;
            if (storage != DType.FP32) {
                double difference = value - SixteenBits.round(values[i], storage);
                errorSquare += difference * difference;
            }
        }
        return new RowBounds(Math.sqrt(square) * ROUND_UP, Math.sqrt(errorSquare) * ROUND_UP);
    }

    /** What holds for these rows and for others. */
    public RowBounds and(RowBounds other) {
        return new RowBounds(Math.max(norm, other.norm), Math.max(error, other.error));
    }
}
