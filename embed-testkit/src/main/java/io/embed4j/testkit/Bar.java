// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import io.embed4j.Precision;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * The bar for every number: our error against the float64 reference must not exceed 1.5 times torch's own error in the
 * same precision, or a floor where torch was lucky. Errors are Euclidean distances of unit vectors, the worst text
 * counts. All tolerances of the project are in this file.
 *
 * @param limit the largest error that passes
 */
public record Bar(double limit) {
    private static final double FACTOR = 1.5;
    private static final Map<Precision, Double> FLOORS =
            Map.of(Precision.FP32, 3e-7, Precision.FP16, 1e-3, Precision.BF16, 8e-3);

    /**
     * The bar of a fixture's vectors.
     *
     * @param fixture the fixture
     * @param precision what is under test
     */
    public static Bar of(Fixture fixture, Precision precision) {
        return new Bar(FACTOR * Math.max(fixture.ownError(precision), floor(precision)));
    }

    /**
     * The bar of the vectors of texts at edges.
     *
     * @param edges the texts
     * @param precision what is under test
     */
    public static Bar of(Fixture.Edges edges, Precision precision) {
        return new Bar(FACTOR * Math.max(edges.ownError(precision), floor(precision)));
    }

    /**
     * The bar of a fixture's token vectors, relative to their length.
     *
     * @param fixture the fixture
     * @param precision what is under test
     */
    public static Bar ofTokens(Fixture fixture, Precision precision) {
        return new Bar(FACTOR * Math.max(fixture.ownTokenError(precision), floor(precision)));
    }

    private static double floor(Precision precision) {
        return Objects.requireNonNull(FLOORS.get(precision), "No bar is defined for " + precision);
    }

    /**
     * The distance of two vectors after both are made unit length; NaN if one is not finite.
     *
     * @param ours [D]
     * @param reference [D]
     */
    public static double unitError(float[] ours, double[] reference) {
        double[] widened = new double[ours.length];
        for (int i = 0; i < ours.length; i++) {
            widened[i] = ours[i];
        }
        double ourNorm = norm(widened);
        double referenceNorm = norm(reference);
        double square = 0;
        for (int i = 0; i < ours.length; i++) {
            double difference = ours[i] / ourNorm - reference[i] / referenceNorm;
            square += difference * difference;
        }
        return Math.sqrt(square);
    }

    /**
     * The distance of two vectors over the reference's length.
     *
     * @param ours [H]
     * @param reference [H]
     */
    public static double relativeError(float[] ours, double[] reference) {
        double[] difference = reference.clone();
        for (int i = 0; i < ours.length; i++) {
            difference[i] -= ours[i];
        }
        return norm(difference) / norm(reference);
    }

    private static double norm(double[] vector) {
        double square = 0;
        for (double value : vector) {
            square += value * value;
        }
        return Math.sqrt(square);
    }

    /**
     * Collects the worst error of a comparison.
     */
    public static final class Worst {
        private double error;
        private String where = "all";
        private int comparisons;

        /**
         * Enters one error.
         *
         * @param candidate the error; NaN counts as infinite
         * @param place what it belongs to
         */
        public void add(double candidate, String place) {
            comparisons++;
            double value = Double.isNaN(candidate) ? Double.POSITIVE_INFINITY : candidate;
            if (value > error) {
                error = value;
                where = place;
            }
        }

        /** The largest error so far. */
        public double error() {
            return error;
        }

        /**
         * Enters all that another one has collected.
         *
         * @param other what was collected elsewhere
         */
        public void addAll(Worst other) {
            add(other.error, other.where);
            comparisons += other.comparisons - 1;
        }

        /**
         * Prints error, place and share of the bar; fails if it is exceeded, or if nothing was compared.
         *
         * @param what what was compared
         * @param bar the bar
         */
        public void mustPass(String what, Bar bar) {
            String report = String.format(
                    Locale.ROOT,
                    "%s: max error %.3g of %d at %s, %.0f %% of the bar %.3g",
                    what,
                    error,
                    comparisons,
                    where,
                    100 * error / bar.limit(),
                    bar.limit());
            System.out.println(report);
            if (comparisons == 0 || !(error <= bar.limit())) {
                throw new AssertionError(report);
            }
        }
    }
}
