// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.spec.DType;
import java.util.Locale;

/**
 * How far a kernel may be from its twin in float64, by operation and storage type. All tolerances of kernels are here.
 *
 * <p>A result may be off by the rounding to the storage type (with a little for ties that fall to the other side) plus
 * what fp32 arithmetic inside costs, which is the same for all types. Attention on tensor cores also rounds its weights
 * to the storage type.
 */
enum KernelTolerance {
    /** Moves numbers, or converts them. */
    COPY(0),
    /** Layer and RMS norms of rows with magnitudes of about 1. */
    NORM(3e-6),
    /** The same of rows stored as fp32 whose numbers need no sum before: rounded once. */
    NORM_IN_PAIRS(1e-10),
    /** Bias, norm of heads and rotation. */
    ROTARY(2e-6),
    /** Activations of numbers up to about 10. */
    ACTIVATION(3e-6),
    /** Pooled rows, normalized or not. */
    POOLING(3e-6),
    /** Products of matrices with entries of about 1, summed over up to 1536. */
    PRODUCT(2e-4),
    /** Attention in fp32 throughout. */
    ATTENTION(1e-5);

    private static final double TIES = 1.01;

    private final double fp32Error;

    KernelTolerance(double fp32Error) {
        this.fp32Error = fp32Error;
    }

    /**
     * Compares, and prints the largest error, where it is, and the share of the tolerance it takes.
     *
     * @param what the case, for the report
     * @param type storage type of the results
     * @param actual what the kernel computed
     * @param expected what the twin computed; must be exactly met where it is 0 by padding or {@link Twins#UNWRITTEN}
     */
    void check(String what, DType type, double[] actual, double[] expected) {
        check(what, type, actual, expected, 0);
    }

    /** As above, with what rounding inside the kernel adds. */
    void check(String what, DType type, double[] actual, double[] expected, double extra) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        double worstShare = -1;
        int worst = 0;
        for (int i = 0; i < actual.length; i++) {
            double tolerance = expected[i] == Twins.UNWRITTEN
                    ? 0
                    : TIES * StorageFormat.roundingError(type) * Math.abs(expected[i]) + fp32Error + extra;
            double error = Math.abs(actual[i] - expected[i]);
            double share = error == 0 ? 0 : error / tolerance;
            if (!(share <= worstShare)) { // also when it is NaN
                worstShare = share;
                worst = i;
            }
        }
        String report = String.format(
                Locale.ROOT,
                "%s %s %s: %.0f %% of the tolerance at [%d], found %.9g, want %.9g (error %.2e)",
                this,
                type,
                what,
                100 * worstShare,
                worst,
                actual[worst],
                expected[worst],
                Math.abs(actual[worst] - expected[worst]));
        System.out.println(report);
        assertThat(worstShare).as(report).isLessThanOrEqualTo(1);
    }
}
