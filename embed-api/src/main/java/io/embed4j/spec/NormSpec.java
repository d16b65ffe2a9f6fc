// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * A normalization of each token's H numbers.
 *
 * <p>LayerNorm (<a href="https://arxiv.org/abs/1607.06450">arXiv 1607.06450</a>):
 * y = (x - mean) / sqrt(variance + epsilon) * (gain + gainOffset) + bias. RMSNorm
 * (<a href="https://arxiv.org/abs/1910.07467">arXiv 1910.07467</a>): y = x / sqrt(mean(x^2) + epsilon) *
 * (gain + gainOffset).
 *
 * <pre>{@code
 * NormSpec bert = NormSpec.layerNorm(1e-12, true);
 * NormSpec gemma = new NormSpec(NormSpec.Kind.RMS_NORM, 1e-6, false, 1);
 * }</pre>
 *
 * @param kind which statistics are used
 * @param epsilon added to the variance or mean square, before the root
 * @param bias whether a learned bias is added
 * @param gainOffset added to the stored gain: 1 for Gemma, whose files hold gain - 1, else 0
 * @since 0.1
 */
public record NormSpec(Kind kind, double epsilon, boolean bias, double gainOffset) {

    /**
     * The statistics of a normalization.
     *
     * <pre>{@code
     * NormSpec.Kind kind = NormSpec.layerNorm(1e-5, false).kind();
     * if (kind != NormSpec.Kind.LAYER_NORM) throw new AssertionError();
     * }</pre>
     */
    public enum Kind {
        /** Mean and variance. */
        LAYER_NORM,
        /** Root mean square, no mean. */
        RMS_NORM
    }

    /** Checks the values. */
    public NormSpec {
        if (!(epsilon > 0 && epsilon < 1)) {
            throw new IllegalArgumentException("Norm epsilon must lie between 0 and 1, found " + epsilon + ".");
        }
    }

    /**
     * A LayerNorm whose stored gain is used as it is.
     *
     * @param epsilon added to the variance
     * @param bias whether a learned bias is added
     * @return the description
     */
    public static NormSpec layerNorm(double epsilon, boolean bias) {
        return new NormSpec(Kind.LAYER_NORM, epsilon, bias, 0);
    }

    /**
     * An RMSNorm whose stored gain is used as it is.
     *
     * @param epsilon added to the mean square
     * @return the description
     */
    public static NormSpec rmsNorm(double epsilon) {
        return new NormSpec(Kind.RMS_NORM, epsilon, false, 0);
    }
}
