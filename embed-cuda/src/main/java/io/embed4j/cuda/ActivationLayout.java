// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.core.math.RotaryAngles;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.PoolingMode;
import java.util.List;

/**
 * Where activations of a batch of at most T tokens lie, in bytes from the beginning of the activations. Nothing is
 * allocated while batches run.
 *
 * <pre>
 * hidden  [T, H]                the residual stream
 * normed  [T, H]                only if norms stand before the blocks
 * wide    [T, max(QKV, F)]      queries, keys and values; then the feed-forward block; then the text head
 * mixed   [T, max(A * P, H, E)] what attention returns; then the gathered residual rows
 * out     [T, max(H, E)]        what a block adds to the residual stream
 * inputs, outputs               once for each batch that may be under way
 * </pre>
 */
final class ActivationLayout {
    /** Batches under way: one computes while another is copied. */
    static final int SLOTS = 2;

    /** Texts whose vectors fit the output at once; more take several passes. Texts of four tokens are short ones. */
    private static final int TOKENS_PER_OUTPUT_ROW = 4;

    private static final int MIN_OUTPUT_ROWS = 64;

    /** A quarter of a gigabyte; as much again is pinned in host memory. */
    private static final int MAX_OUTPUT_FLOATS = 1 << 26;

    /** However wide the text head, so many of its rows fit; it works in the wide place, from one half to the other. */
    private static final int MIN_HEAD_ROWS = 16;

    private final int maxTokens;
    private final int outputFloats;
    private final long wideBytes;
    private final long hidden;
    private final long normed;
    private final long wide;
    private final long mixed;
    private final long out;
    private final long[] inputs = new long[SLOTS];
    private final long[] outputs = new long[SLOTS];
    private final long stagingBytes;
    private final long bytes;

    ActivationLayout(EncoderSpec spec, List<LayerWidths> layers, DType type, int maxTokens) {
        this.maxTokens = maxTokens;
        int hiddenWidth = LayerWidths.padded(spec.hiddenSize());
        int embeddingWidth = LayerWidths.padded(spec.embedding().embeddingSize());
        int queryKeyValue =
                layers.stream().mapToInt(LayerWidths::queryKeyValue).max().orElseThrow();
        int feedForward =
                layers.stream().mapToInt(LayerWidths::feedForwardStride).max().orElseThrow();
        int attended = layers.stream().mapToInt(LayerWidths::attended).max().orElseThrow();
        int outputRows = Math.max(MIN_OUTPUT_ROWS, maxTokens / TOKENS_PER_OUTPUT_ROW);
        int headWidth = LayerWidths.padded(widestOfHead(spec));
        outputFloats = Math.max(
                MIN_HEAD_ROWS * headWidth, hiddenWidth * Math.min(outputRows, MAX_OUTPUT_FLOATS / hiddenWidth));
        long column = (long) maxTokens * type.bytes();
        wideBytes =
                Math.max(column * Math.max(queryKeyValue, feedForward), 2L * MIN_HEAD_ROWS * headWidth * Float.BYTES);
        int outWidth = Math.max(hiddenWidth, embeddingWidth);
        ArenaLayout arena = new ArenaLayout();
        hidden = arena.reserve(column * hiddenWidth);
        normed = normsBefore(spec) ? arena.reserve(column * hiddenWidth) : -1;
        wide = arena.reserve(wideBytes);
        mixed = arena.reserve(column * Math.max(attended, outWidth));
        out = arena.reserve(column * outWidth);
        long withoutStaging = arena.bytes();
        for (int slot = 0; slot < SLOTS; slot++) {
            inputs[slot] = arena.reserve(BatchInputs.bytes(maxTokens, RotaryAngles.byBatch(spec)));
            outputs[slot] = arena.reserve((long) outputFloats * Float.BYTES);
        }
        bytes = arena.bytes();
        stagingBytes = bytes - withoutStaging;
    }

    /** All pooling modes beside each other, which any call may ask for, or the widest of the head's modules. */
    private static int widestOfHead(EncoderSpec spec) {
        return spec.head().stream()
                .mapToInt(module -> module instanceof HeadModule.Dense dense ? dense.outputSize() : 0)
                .reduce(PoolingMode.values().length * spec.hiddenSize(), Math::max);
    }

    private static boolean normsBefore(EncoderSpec spec) {
        return spec.layers().stream().anyMatch(layer -> layer.normPlacement() != LayerSpec.NormPlacement.POST);
    }

    int maxTokens() {
        return maxTokens;
    }

    /** fp32 numbers that fit an output. */
    int outputFloats() {
        return outputFloats;
    }

    long hidden() {
        return hidden;
    }

    long normed() {
        return normed;
    }

    long wide() {
        return wide;
    }

    /** Size of {@link #wide()}. */
    long wideBytes() {
        return wideBytes;
    }

    long mixed() {
        return mixed;
    }

    long out() {
        return out;
    }

    long inputs(int slot) {
        return inputs[slot];
    }

    long outputs(int slot) {
        return outputs[slot];
    }

    /** How much of it is inputs and outputs. */
    long stagingBytes() {
        return stagingBytes;
    }

    long bytes() {
        return bytes;
    }
}
