// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.Arrays;
import java.util.Locale;

/**
 * How alike two vectors are; larger is more alike. A model's own is in {@link ModelInfo#similarity()}. The formulas and
 * names are those of sentence-transformers; sums are in float64.
 *
 * <pre>{@code
 * double score = SimilarityFunction.COSINE.between(new float[] {1, 0}, new float[] {2, 0});
 * if (score != 1) throw new AssertionError(score);
 * }</pre>
 *
 * @since 0.1
 */
public enum SimilarityFunction {
    /** The cosine of the angle: the dot product of the vectors at unit length. */
    COSINE {
        @Override
        public double between(float[] a, float[] b) {
            double norms = Math.max(norm(a), LEAST_NORM) * Math.max(norm(b), LEAST_NORM);
            return DOT.between(a, b) / norms;
        }
    },
    /** The dot product. */
    DOT {
        @Override
        public double between(float[] a, float[] b) {
            requireSameLength(a, b);
            double sum = 0;
            for (int i = 0; i < a.length; i++) {
                sum += (double) a[i] * b[i];
            }
            return sum;
        }
    },
    /** The Euclidean distance, negative. */
    EUCLIDEAN {
        @Override
        public double between(float[] a, float[] b) {
            requireSameLength(a, b);
            double sum = 0;
            for (int i = 0; i < a.length; i++) {
                double difference = (double) a[i] - b[i];
                sum += difference * difference;
            }
            return -Math.sqrt(sum);
        }
    },
    /** The sum of the differences, negative. */
    MANHATTAN {
        @Override
        public double between(float[] a, float[] b) {
            requireSameLength(a, b);
            double sum = 0;
            for (int i = 0; i < a.length; i++) {
                sum += Math.abs((double) a[i] - b[i]);
            }
            return -sum;
        }
    };

    /** So that a vector of zeros has a cosine, of 0. */
    private static final double LEAST_NORM = 1e-12;

    /**
     * Compares two vectors.
     *
     * @param a [D]
     * @param b [D]
     * @return larger is more alike
     * @throws IllegalArgumentException if their lengths differ
     */
    public abstract double between(float[] a, float[] b);

    /**
     * Reads sentence-transformers' name.
     *
     * @param name {@code cosine}, {@code dot}, {@code euclidean} or {@code manhattan}
     * @return the function
     * @throws IllegalArgumentException if it is another name
     */
    public static SimilarityFunction parse(String name) {
        return Arrays.stream(values())
                .filter(function -> function.toString().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "Unknown similarity \"" + name + "\". Known are " + Arrays.toString(values()) + "."));
    }

    /** sentence-transformers' name. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    private static double norm(float[] vector) {
        return Math.sqrt(DOT.between(vector, vector));
    }

    private static void requireSameLength(float[] a, float[] b) {
        if (a.length != b.length) {
            throw new IllegalArgumentException(
                    "Vectors of " + a.length + " and " + b.length + " numbers cannot be compared.");
        }
    }
}
