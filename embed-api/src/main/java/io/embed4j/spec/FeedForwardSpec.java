// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * The feed-forward block of one layer: down(activation(up(x))), or, gated, down(activation(gate(x)) * up(x))
 * (<a href="https://arxiv.org/abs/2002.05202">arXiv 2002.05202</a>).
 *
 * <pre>{@code
 * FeedForwardSpec bert = new FeedForwardSpec(1536, Activation.GELU_ERF, false, true, true);
 * FeedForwardSpec swiGlu = new FeedForwardSpec(3072, Activation.SILU, true, false, false);
 * }</pre>
 *
 * @param intermediateSize width between the two projections
 * @param activation the nonlinearity
 * @param gated whether a gate projection is activated and multiplied in (GeGLU, SwiGLU)
 * @param inputBias whether the up (and gate) projection has a bias
 * @param outputBias whether the down projection has a bias
 * @since 0.1
 */
public record FeedForwardSpec(
        int intermediateSize, Activation activation, boolean gated, boolean inputBias, boolean outputBias) {

    /** Checks the values. */
    public FeedForwardSpec {
        if (intermediateSize < 1) {
            throw new IllegalArgumentException("Feed-forward width must be positive, found " + intermediateSize + ".");
        }
    }
}
