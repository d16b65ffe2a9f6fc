// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import java.util.Arrays;

/**
 * Several measurements of one thing in three numbers. No mean: one round that the machine disturbed would spoil it.
 *
 * @param median the middle one, or halfway between the two in the middle
 * @param min the smallest
 * @param max the largest
 */
public record Spread(double median, double min, double max) {

    /**
     * Sums up measurements.
     *
     * @param values at least one
     */
    public static Spread of(double... values) {
        if (values.length == 0) {
            throw new IllegalArgumentException("There is nothing to sum up.");
        }
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(median, sorted[0], sorted[sorted.length - 1]);
    }

    /**
     * How many times as fast a rival is, round by round. A round's two times were taken one soon after the other, so what
     * slows the machine for a while slows both, and drops out.
     *
     * @param baselineSeconds [rounds]
     * @param rivalSeconds [rounds], in the same order
     */
    public static Spread ofPairedRatios(double[] baselineSeconds, double[] rivalSeconds) {
        if (baselineSeconds.length != rivalSeconds.length) {
            throw new IllegalArgumentException(
                    baselineSeconds.length + " rounds cannot be paired with " + rivalSeconds.length + ".");
        }
        double[] ratios = new double[rivalSeconds.length];
        Arrays.setAll(ratios, round -> baselineSeconds[round] / rivalSeconds[round]);
        return of(ratios);
    }
}
