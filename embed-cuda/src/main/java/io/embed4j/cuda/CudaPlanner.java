// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.DeviceInfo;
import io.embed4j.GpuCard;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.index.HostRows;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spi.DevicePlanner;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexPlan;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.WeightTypes;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * What is known of a GPU's memory without touching it: its compute capability decides on precisions and on cuBLAS's
 * workspace, {@link EncoderArena} does the rest.
 *
 * @param info the device
 * @param computeCapability 75 for 7.5
 * @param totalBytes its memory
 * @param free bytes that can still be reserved, asked at every use
 */
record CudaPlanner(DeviceInfo info, int computeCapability, long totalBytes, LongSupplier free)
        implements DevicePlanner {
    /** Tensor cores multiply bf16 from here on. */
    private static final int FIRST_WITH_BF16 = 80;

    /**
     * What a context takes of a device: an estimate, the largest that was found. A measurement published with llama.cpp's
     * pull request 23604 gives 107 MiB on an RTX 4060 Ti and 555 MiB on an RTX PRO 6000; it grows with the number of
     * multiprocessors.
     */
    private static final long CONTEXT_BYTES = 555L << 20;

    /**
     * For a card that is not here, with nothing on it but our process.
     *
     * @param card its data
     */
    static CudaPlanner of(GpuCard card) {
        long free = Math.max(0, card.memoryBytes() - CONTEXT_BYTES);
        DeviceInfo info = new DeviceInfo(
                card.name(),
                CudaBackendProvider.NAME,
                card.name(),
                "",
                card.memoryBytes(),
                free,
                Map.of("computeCapability", card.computeCapability()));
        int computeCapability = Integer.parseInt(card.computeCapability().replace(".", ""));
        return new CudaPlanner(info, computeCapability, card.memoryBytes(), () -> free);
    }

    @Override
    public long freeBytes() {
        return free.getAsLong();
    }

    @Override
    public long processBytes() {
        return CONTEXT_BYTES;
    }

    @Override
    public long graphBytes(EncoderSpec spec) {
        return LaunchGraphs.estimatedBytes(spec);
    }

    @Override
    public List<Precision> precisions() {
        return computeCapability >= FIRST_WITH_BF16
                ? List.of(Precision.FP16, Precision.BF16, Precision.FP32)
                : List.of(Precision.FP16, Precision.FP32);
    }

    @Override
    public List<Precision> plannedPrecisions() {
        return List.of(Precision.INT8, Precision.INT4);
    }

    @Override
    public int defaultBatchTokens(int maxTokensPerText) {
        return EncoderArena.defaultBatchTokens(maxTokensPerText);
    }

    @Override
    public MemoryPlan plan(EncoderSpec spec, WeightTypes stored, EncoderOptions options) {
        if (plannedPrecisions().contains(options.precision())) {
            requireSupported(spec);
            return QuantizedWeights.of(options.precision()).plan(spec, options, computeCapability);
        }
        return arena(spec, options).memoryPlan();
    }

    /**
     * The memory of an encoder, to be allocated as it is planned.
     *
     * @throws UnsupportedModelException if a feature of the spec or the precision cannot be honoured
     */
    EncoderArena arena(EncoderSpec spec, EncoderOptions options) {
        requireOffered(spec, options.precision());
        requireSupported(spec);
        return EncoderArena.plan(spec, options, computeCapability);
    }

    @Override
    public IndexPlan planIndex(IndexSpec spec, int rows) {
        requireSupported(spec);
        long hostBytes = ShardRows.keepsAllOnHost(spec) ? HostRows.bytes(spec.dimension(), rows) : 0;
        return new IndexPlan(new ShardLayout(spec, rows, computeCapability).plan(rows), hostBytes);
    }

    /**
     * Passes an index that the device can hold.
     *
     * @throws UnsupportedModelException if it cannot
     */
    void requireSupported(IndexSpec spec) {
        if (spec.storage() == DType.BF16 && !precisions().contains(Precision.BF16)) {
            throw new UnsupportedModelException(
                    "The device " + info.id() + " does not multiply bf16. Store the index in" + " fp16 or fp32.");
        }
        if (spec.dimension() > ShardLayout.MAX_DIMENSION) {
            throw new UnsupportedModelException("The device " + info.id() + " takes indexes of vectors of at most "
                    + ShardLayout.MAX_DIMENSION + " numbers, not " + spec.dimension() + ". Use the device cpu.");
        }
    }

    private void requireOffered(EncoderSpec spec, Precision precision) {
        if (!precisions().contains(precision)) {
            throw new UnsupportedModelException("The device " + info.id() + " does not offer the precision " + precision
                    + ". It offers " + precisions() + ".");
        }
        if (precision == Precision.FP16 && spec.overflowsFp16()) {
            throw new UnsupportedModelException(
                    "The activations of this model's family overflow fp16. Use bf16, or fp32.");
        }
    }

    private static void requireSupported(EncoderSpec spec) {
        for (int i = 1; i < spec.head().size(); i++) {
            if (spec.head().get(i) instanceof HeadModule.LayerNorm
                    && spec.head().get(i - 1) instanceof HeadModule.Normalize) {
                throw new UnsupportedModelException(
                        "The CUDA backend of this version does not run models with LayerNorm behind Normalize.");
            }
        }
    }
}
