// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * One transformer layer.
 *
 * <p>POST: x = norm(x + attention(x)); x = norm(x + ff(x)). PRE: x = x + attention(norm(x)); x = x + ff(norm(x)).
 * PRE_AND_POST: x = x + norm(attention(norm(x))); x = x + norm(ff(norm(x))).
 *
 * <pre>{@code
 * LayerSpec layer = new LayerSpec(
 *         AttentionSpec.bidirectional(12, 32, true),
 *         new FeedForwardSpec(1536, Activation.GELU_ERF, false, true, true),
 *         LayerSpec.NormPlacement.POST,
 *         NormSpec.layerNorm(1e-12, true),
 *         true);
 * }</pre>
 *
 * @param attention the attention block
 * @param feedForward the feed-forward block
 * @param normPlacement where the norms stand
 * @param norm all norms of the layer
 * @param attentionInputNorm whether the attention norm exists (before the block, or after it for POST); false
 *     for ModernBERT's layer 0
 * @since 0.1
 */
public record LayerSpec(
        AttentionSpec attention,
        FeedForwardSpec feedForward,
        NormPlacement normPlacement,
        NormSpec norm,
        boolean attentionInputNorm) {

    /**
     * Where the norms of a layer stand.
     *
     * <pre>{@code
     * LayerSpec.NormPlacement bert = LayerSpec.NormPlacement.POST;
     * }</pre>
     */
    public enum NormPlacement {
        /** After each residual sum. */
        POST,
        /** Before each block. */
        PRE,
        /** Before each block and on its output. */
        PRE_AND_POST
    }
}
