// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.DType;
import java.util.Locale;

/**
 * Which attention kernel runs, and its geometry. The formulas stand at the head of the kernels' sources.
 *
 * @param name its name in the image
 * @param queriesPerBlock queries of one item of the worklist; the same for all layers of a model
 * @param threads of a block
 * @param sharedBytes dynamic shared memory of a block
 */
record AttentionKernel(String name, int queriesPerBlock, int threads, int sharedBytes) {
    private static final int FIRST_WITH_ASYNC_COPIES = 80;
    private static final int WARP = 32;
    private static final int QUERIES_PER_WARP = 16;
    private static final int MAX_WARPS = 4;

    /** Rows beyond this get the same geometry. */
    static final int SHORT_ROW = MAX_WARPS * QUERIES_PER_WARP;

    /**
     * Chooses by storage, device and rows: tensor cores where they multiply 16-bit numbers 16 deep, else plain arithmetic.
     *
     * @param type S
     * @param headStride P
     * @param computeCapability of the device, 75 for 7.5
     * @param longestRow no row of the batch is longer
     */
    static AttentionKernel choose(DType type, int headStride, int computeCapability, int longestRow) {
        String suffix = type.name().toLowerCase(Locale.ROOT);
        if (type == DType.FP32 || computeCapability < FIRST_WITH_ASYNC_COPIES) {
            return new AttentionKernel(
                    "attention_packed_online_softmax_" + suffix, 32, MAX_WARPS * WARP, 128 * headStride + 12_800);
        }
        int size = headStride <= 32 ? 32 : headStride <= 64 ? 64 : headStride <= 128 ? 128 : 256;
        int groups = (longestRow + QUERIES_PER_WARP - 1) / QUERIES_PER_WARP;
        int warps = Math.min(groups, MAX_WARPS);
        int keysOfTile = size > 128 ? SHORT_ROW / 2 : SHORT_ROW;
        int keys = Math.min(groups * QUERIES_PER_WARP, keysOfTile);
        int stages = longestRow > keysOfTile ? 2 : 1;
        int keyAndValueBytes = 2 * type.bytes() * size;
        return new AttentionKernel(
                "attention_packed_mma_" + suffix + "_d" + size,
                warps * QUERIES_PER_WARP,
                warps * WARP,
                stages * keys * keyAndValueBytes);
    }
}
