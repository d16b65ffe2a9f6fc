// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * The self-attention of one layer (<a href="https://arxiv.org/abs/1706.03762">arXiv 1706.03762</a>).
 *
 * <p>softmax(scale * Q K^T + bias) V per head, then the output projection. A * headSize may differ from H.
 *
 * <pre>{@code
 * AttentionSpec miniLm = AttentionSpec.bidirectional(12, 32, true);
 * if (miniLm.projectionSize() != 384) throw new AssertionError();
 * }</pre>
 *
 * @param heads query heads A
 * @param keyValueHeads heads of keys and values; fewer than {@code heads} for grouped-query attention, a divisor of it
 * @param headSize numbers per head, 1 to 256
 * @param scale factor on the scores, usually 1/sqrt(headSize); 1 for T5
 * @param queryKeyValueBias whether the three input projections have a bias
 * @param outputBias whether the output projection has a bias
 * @param causal whether a token sees only itself and earlier tokens
 * @param windowDistance a token sees keys at most this many tokens away; empty for all
 * @param bias what is added to the scores by distance
 * @param rotary rotation of queries and keys by position
 * @param queryKeyNorm norm of every head's query and key before the rotation
 * @param softcap scores become softcap * tanh(scores / softcap); 0 for none
 * @since 0.1
 */
public record AttentionSpec(
        int heads,
        int keyValueHeads,
        int headSize,
        double scale,
        boolean queryKeyValueBias,
        boolean outputBias,
        boolean causal,
        OptionalInt windowDistance,
        AttentionBias bias,
        Optional<RotarySpec> rotary,
        Optional<NormSpec> queryKeyNorm,
        double softcap) {

    /** Checks the values. */
    public AttentionSpec {
        if (heads < 1 || keyValueHeads < 1 || heads % keyValueHeads != 0) {
            throw new IllegalArgumentException("Attention needs key/value heads that divide the query heads, found "
                    + keyValueHeads + " and " + heads + ".");
        }
        if (headSize < 1 || headSize > 256) {
            throw new IllegalArgumentException("Head size must lie between 1 and 256, found " + headSize + ".");
        }
        if (rotary.isPresent() && rotary.get().rotaryDimension() > headSize) {
            throw new IllegalArgumentException("Rotary dimension "
                    + rotary.get().rotaryDimension() + " is larger than the head size " + headSize + ".");
        }
    }

    /**
     * Plain multi-head attention over the whole text, scaled by 1/sqrt(headSize), as BERT has it.
     *
     * @param heads number of heads A
     * @param headSize numbers per head
     * @param biases whether the four projections have biases
     * @return the description
     */
    public static AttentionSpec bidirectional(int heads, int headSize, boolean biases) {
        return new AttentionSpec(
                heads,
                heads,
                headSize,
                1 / Math.sqrt(headSize),
                biases,
                biases,
                false,
                OptionalInt.empty(),
                AttentionBias.none(),
                Optional.empty(),
                Optional.empty(),
                0);
    }

    /**
     * With another bias on the scores.
     *
     * @param bias what is added to the scores by distance
     * @return a copy
     */
    public AttentionSpec withBias(AttentionBias bias) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                rotary,
                queryKeyNorm,
                softcap);
    }

    /**
     * With queries and keys turned by their position.
     *
     * @param rotary the rotation
     * @return a copy
     */
    public AttentionSpec withRotary(RotarySpec rotary) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                Optional.of(rotary),
                queryKeyNorm,
                softcap);
    }

    /**
     * With a window, or without one.
     *
     * @param windowDistance a token sees keys at most this many tokens away; empty for all
     * @return a copy
     */
    public AttentionSpec withWindow(OptionalInt windowDistance) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                rotary,
                queryKeyNorm,
                softcap);
    }

    /**
     * With another factor on the scores.
     *
     * @param scale factor on the scores
     * @return a copy
     */
    public AttentionSpec withScale(double scale) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                rotary,
                queryKeyNorm,
                softcap);
    }

    /**
     * With fewer heads of keys and values than of queries: grouped-query attention.
     *
     * @param keyValueHeads a divisor of the query heads
     * @return a copy
     */
    public AttentionSpec withKeyValueHeads(int keyValueHeads) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                rotary,
                queryKeyNorm,
                softcap);
    }

    /**
     * With the sight of a decoder, or without.
     *
     * @param causal whether a token sees only itself and earlier tokens
     * @return a copy
     */
    public AttentionSpec withCausal(boolean causal) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                rotary,
                queryKeyNorm,
                softcap);
    }

    /**
     * With a norm of every head's query and key.
     *
     * @param norm the norm, before the rotation
     * @return a copy
     */
    public AttentionSpec withQueryKeyNorm(NormSpec norm) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                rotary,
                Optional.of(norm),
                softcap);
    }

    /**
     * With or without biases of the projections.
     *
     * @param queryKeyValueBias whether the three input projections have a bias
     * @param outputBias whether the output projection has a bias
     * @return a copy
     */
    public AttentionSpec withBiases(boolean queryKeyValueBias, boolean outputBias) {
        return new AttentionSpec(
                heads,
                keyValueHeads,
                headSize,
                scale,
                queryKeyValueBias,
                outputBias,
                causal,
                windowDistance,
                bias,
                rotary,
                queryKeyNorm,
                softcap);
    }

    /**
     * Returns the width of the query projection and of the output projection's input.
     *
     * @return A * headSize
     */
    public int projectionSize() {
        return heads * headSize;
    }

    /**
     * Returns the width of the key projection and of the value projection.
     *
     * @return keyValueHeads * headSize
     */
    public int keyValueProjectionSize() {
        return keyValueHeads * headSize;
    }
}
