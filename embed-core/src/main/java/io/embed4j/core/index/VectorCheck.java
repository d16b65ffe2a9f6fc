// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.Precision;
import io.embed4j.SimilarityFunction;
import io.embed4j.core.math.SixteenBits;

/**
 * Makes vectors what an index compares: for cosine divided by their length in float64, for the dot product as they are.
 * Refuses what cannot be compared.
 *
 * <p>Unit vectors stay as they are, bit for bit: those of an encoder are the same wherever they come from, and dividing by a
 * length that is 1 but for rounding would only round once more.
 *
 * @param dimension D
 * @param similarity what is ranked by
 */
record VectorCheck(int dimension, SimilarityFunction similarity) {
    /** How far from 1 fp32 arithmetic leaves the square of a unit vector's length: eight roundings. */
    private static final double UNIT_TOLERANCE = 0x1p-20;

    /**
     * Prepares one vector in place.
     *
     * @return whether it was as it must be already
     *
     * @param values holds [D]
     * @param from where
     * @param what for the message: Row or Query
     * @param index its place in the call
     */
    boolean prepare(float[] values, int from, String what, long index) {
        double square = 0;
        for (int i = from; i < from + dimension; i++) {
            square += (double) values[i] * values[i];
        }
        if (Double.isNaN(square) || Double.isInfinite(square)) {
            throw new IllegalArgumentException(what + " " + index + " holds NaN or infinity.");
        }
        if (similarity == SimilarityFunction.COSINE) {
            if (square == 0) {
                throw new IllegalArgumentException(
                        what + " " + index + " is all zeros: it has no direction, and so no cosine. Leave it out.");
            }
            if (Math.abs(square - 1) > UNIT_TOLERANCE) {
                double norm = Math.sqrt(square);
                for (int i = from; i < from + dimension; i++) {
                    values[i] = (float) (values[i] / norm);
                }
                return false;
            }
        }
        return true;
    }

    /**
     * Refuses a row that its storage would turn into infinity.
     *
     * @param values holds [D]
     * @param from where
     * @param storage how it will be stored
     * @param index its place in the call
     */
    void requireStorable(float[] values, int from, Precision storage, long index) {
        if (storage == Precision.FP16 && similarity == SimilarityFunction.DOT) {
            for (int i = from; i < from + dimension; i++) {
                if (Math.abs(values[i]) > SixteenBits.MAX_HALF) {
                    throw new IllegalArgumentException("Row " + index + " holds " + values[i]
                            + ", more than the largest fp16 number, 65504. Use the storage bf16 or fp32.");
                }
            }
        }
    }
}
