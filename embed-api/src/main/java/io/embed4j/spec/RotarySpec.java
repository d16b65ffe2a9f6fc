// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * Rotary position embedding of queries and keys (<a href="https://arxiv.org/abs/2104.09864">arXiv 2104.09864</a>).
 *
 * <p>Pair i of the first {@code rotaryDimension} numbers of a head is turned by position * theta^(-2i/rotaryDimension);
 * the rest of the head is left as it is.
 *
 * <pre>{@code
 * RotarySpec local = new RotarySpec(10_000, 64, RotarySpec.Pairing.HALVES, RopeScaling.none());
 * }</pre>
 *
 * @param theta base of the frequencies
 * @param rotaryDimension how many numbers of each head are turned; even, at most the head size
 * @param pairing which two numbers form a pair
 * @param scaling how positions or frequencies are stretched for long texts
 * @since 0.1
 */
public record RotarySpec(double theta, int rotaryDimension, Pairing pairing, RopeScaling scaling) {

    /**
     * Which two numbers of a head form a pair.
     *
     * <pre>{@code
     * RotarySpec.Pairing huggingFace = RotarySpec.Pairing.HALVES;
     * }</pre>
     */
    public enum Pairing {
        /** i and i + rotaryDimension/2, as in Hugging Face's code. */
        HALVES,
        /** 2i and 2i + 1, as in the paper. */
        NEIGHBOURS
    }

    /** Checks the values. */
    public RotarySpec {
        if (!(theta > 1)) {
            throw new IllegalArgumentException("Rotary theta must be greater than 1, found " + theta + ".");
        }
        if (rotaryDimension < 2 || rotaryDimension % 2 != 0) {
            throw new IllegalArgumentException(
                    "Rotary dimension must be a positive even number, found " + rotaryDimension + ".");
        }
    }
}
