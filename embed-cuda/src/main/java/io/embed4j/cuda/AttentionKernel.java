// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.DType;
import java.util.Locale;

/**
 * Which attention kernel runs, and its geometry, which the kernel's source fixes.
 *
 * @param name its name in the image
 * @param queriesPerBlock queries of one item of the worklist
 * @param threads of a block
 * @param sharedBytes dynamic shared memory of a block
 */
record AttentionKernel(String name, int queriesPerBlock, int threads, int sharedBytes) {
    private static final int FIRST_WITH_ASYNC_COPIES = 80;
    private static final int THREADS = 128;

    /**
     * Chooses by storage and device: tensor cores where they multiply 16-bit numbers 16 deep, else plain arithmetic.
     *
     * @param type S
     * @param headStride P
     * @param computeCapability of the device, 75 for 7.5
     */
    static AttentionKernel choose(DType type, int headStride, int computeCapability) {
        String suffix = type.name().toLowerCase(Locale.ROOT);
        if (type == DType.FP32 || computeCapability < FIRST_WITH_ASYNC_COPIES) {
            return new AttentionKernel(
                    "attention_packed_online_softmax_" + suffix, 32, THREADS, 128 * headStride + 12_800);
        }
        int size = headStride <= 32 ? 32 : headStride <= 64 ? 64 : headStride <= 128 ? 128 : 256;
        return new AttentionKernel(
                "attention_packed_mma_" + suffix + "_d" + size, 64, THREADS, 512 * Math.min(size, 128));
    }
}
