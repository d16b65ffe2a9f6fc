// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.Precision;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.MemoryPlan;

/**
 * The memory of one encoder, planned: the arithmetic behind the fit report and behind the two allocations that the
 * encoder makes, one for its weights and one for everything that goes with the token budget. What is planned is what is
 * allocated, to the byte.
 *
 * @param type storage type S
 * @param weights where weights lie in their allocation
 * @param activations where activations lie in theirs
 * @param cublasBytes workspace of cuBLAS, behind the activations
 */
record EncoderArena(DType type, WeightLayout weights, ActivationLayout activations, long cublasBytes) {
    /** Device memory is given out in pieces of 2 MiB: what is left of the last one belongs to the plan. */
    static final long GRANULE = 2L << 20;

    private static final int DEFAULT_BATCH_TOKENS = 16384;
    /** Beyond, sizes no longer fit the ints that kernels count with; and nothing is gained long before. */
    private static final int MAX_BATCH_TOKENS = 1 << 24;

    private static final int HOPPER = 90;

    /** What NVIDIA advises: less makes cuBLAS choose slower algorithms. */
    private static final long CUBLAS_BYTES_HOPPER = 32L << 20;

    private static final long CUBLAS_BYTES = 4L << 20;

    /**
     * Plans.
     *
     * @param spec the architecture
     * @param options precision and budget
     * @param computeCapability of the device, 75 for 7.5
     * @throws IllegalArgumentException if the budget is beyond all measure
     */
    static EncoderArena plan(EncoderSpec spec, EncoderOptions options, int computeCapability) {
        if (options.maxBatchTokens() > MAX_BATCH_TOKENS) {
            throw new IllegalArgumentException("maxBatchTokens " + options.maxBatchTokens()
                    + " is more than a batch on a GPU may have. Lower it to at most " + MAX_BATCH_TOKENS + ".");
        }
        DType type = storage(options.precision());
        WeightLayout weights = new WeightLayout(spec, type);
        int maxTokens = options.maxBatchTokens() > 0
                ? options.maxBatchTokens()
                : defaultBatchTokens(options.maxTokensPerText());
        return new EncoderArena(
                type,
                weights,
                new ActivationLayout(spec, weights.layers(), type, maxTokens),
                computeCapability >= HOPPER ? CUBLAS_BYTES_HOPPER : CUBLAS_BYTES);
    }

    /** The token budget where the user sets none. */
    static int defaultBatchTokens(int maxTokensPerText) {
        return Math.max(DEFAULT_BATCH_TOKENS, maxTokensPerText);
    }

    private static DType storage(Precision precision) {
        return switch (precision) {
            case FP32 -> DType.FP32;
            case FP16 -> DType.FP16;
            case BF16 -> DType.BF16;
            default -> throw new IllegalArgumentException("No storage type for " + precision + ".");
        };
    }

    /** What is allocated for weights. */
    long weightAllocation() {
        return ArenaLayout.roundUp(weights.bytes(), GRANULE);
    }

    /** What is allocated for activations and cuBLAS. */
    long workingAllocation() {
        return ArenaLayout.roundUp(cublasOffset() + cublasBytes, GRANULE);
    }

    /** Offset of cuBLAS's workspace behind the activations. */
    long cublasOffset() {
        return activations.bytes();
    }

    /** What is allocated, by purpose; what is left of the last granules counts as workspace. */
    MemoryPlan memoryPlan() {
        return new MemoryPlan(
                weights.bytes(),
                activations.bytes() - activations.stagingBytes(),
                weightAllocation() - weights.bytes() + workingAllocation() - activations.bytes(),
                activations.stagingBytes());
    }
}
