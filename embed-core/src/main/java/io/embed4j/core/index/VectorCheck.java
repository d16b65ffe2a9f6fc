// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.Precision;
import io.embed4j.SimilarityFunction;
import io.embed4j.core.math.SixteenBits;

/**
 * Makes vectors what an index compares: for cosine divided by their length in float64, for the dot product as they are.
 * Refuses what cannot be compared.
 *
 * @param dimension D
 * @param similarity what is ranked by
 */
record VectorCheck(int dimension, SimilarityFunction similarity) {

    /**
     * Prepares one vector in place.
     *
     * @param values holds [D]
     * @param from where
     * @param what for the message: Row or Query
     * @param index its place in the call
     */
    void prepare(float[] values, int from, String what, long index) {
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
            double norm = Math.sqrt(square);
            for (int i = from; i < from + dimension; i++) {
                values[i] = (float) (values[i] / norm);
            }
        }
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
