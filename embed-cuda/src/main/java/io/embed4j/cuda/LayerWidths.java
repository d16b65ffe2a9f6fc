// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.LayerSpec;

/**
 * The widths of a layer's activations as the device holds them. Every width is a multiple of 8, so that rows begin where
 * 16-byte loads may; what is added holds zeros. Multiples of 8 are the fast path, and the usual one.
 *
 * @param attention sizes of heads
 * @param queryKeyValue (A + 2K) * P: queries, keys and values beside each other
 * @param attended A * P
 * @param feedForward F, the padded intermediate size
 * @param feedForwardStride F, or 2 F for gate and up beside each other
 */
record LayerWidths(
        Kernels.AttentionShape attention, int queryKeyValue, int attended, int feedForward, int feedForwardStride) {
    private static final int MULTIPLE = 8;

    static LayerWidths of(LayerSpec layer) {
        AttentionSpec attention = layer.attention();
        int headStride = padded(attention.headSize());
        int feedForward = padded(layer.feedForward().intermediateSize());
        return new LayerWidths(
                new Kernels.AttentionShape(
                        attention.heads(), attention.keyValueHeads(), attention.headSize(), headStride),
                (attention.heads() + 2 * attention.keyValueHeads()) * headStride,
                attention.heads() * headStride,
                feedForward,
                layer.feedForward().gated() ? 2 * feedForward : feedForward);
    }

    /** The next multiple of 8. */
    static int padded(int width) {
        return Math.toIntExact(ArenaLayout.roundUp(width, MULTIPLE));
    }
}
