// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.DeviceInfo;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.device.LiveMemoryLedger;
import io.embed4j.core.fit.FitPlanner;
import io.embed4j.cpu.graph.EncoderGraph;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.Device;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexPlan;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTypes;
import java.util.List;

/** The machine's CPU. */
final class CpuDevice implements Device {
    private final DeviceInfo info;
    private final MemoryLedger memory;

    CpuDevice(DeviceInfo info) {
        this.info = info;
        this.memory = new LiveMemoryLedger(info.id(), info.totalBytes(), HostMemory::freeBytes);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public MemoryLedger memory() {
        return memory;
    }

    @Override
    public List<Precision> precisions() {
        return List.of(Precision.FP32, Precision.INT8);
    }

    @Override
    public int defaultBatchTokens(int maxTokensPerText) {
        return CpuEncoder.defaultBatchTokens(maxTokensPerText);
    }

    /**
     * {@inheritDoc}
     *
     * <p>Weights count as they are multiplied: ONNX Runtime repacks the matrices and lets go of the mapped originals. Those
     * that are not stored in fp32 are widened into memory, and their mapped originals stay beside that. The
     * session for single texts has a second copy of the matrices, which is the workspace here. Activations count what is
     * alive at once in a layer, for every batch that may be under way.
     */
    @Override
    public MemoryPlan plan(EncoderSpec spec, WeightTypes stored, EncoderOptions options) {
        EncoderGraph.requireSupported(spec);
        requirePrecision(options.precision());
        DType linear = options.precision() == Precision.INT8 ? DType.INT8 : DType.FP32;
        long weightBytes = spec.weightShapes().stream()
                .mapToLong(weight -> weight.elements() * (isLinear(weight) ? linear : DType.FP32).bytes()
                        + mappedBytes(weight, stored))
                .sum();
        Encoder.Limits limits = CpuEncoder.limits(spec, options);
        long perToken = spec.layers().stream()
                .mapToLong(layer -> 3L * spec.hiddenSize()
                        + 8L * layer.attention().projectionSize()
                        + 2L * layer.feedForward().intermediateSize())
                .max()
                .orElse(0);
        long scores = (long) spec.layers().get(0).attention().heads() * limits.maxPaddedPairs();
        long perBatch = (perToken * limits.maxTokens() + scores) * DType.FP32.bytes();
        long matrixBytes = spec.weightShapes().stream()
                .filter(CpuDevice::isLinear)
                .mapToLong(weight -> weight.elements() * linear.bytes())
                .sum();
        return new MemoryPlan(
                weightBytes, perBatch * limits.concurrentBatches(), limits.concurrentBatches() > 1 ? matrixBytes : 0);
    }

    private static long mappedBytes(WeightShape weight, WeightTypes stored) {
        DType type = stored.type(weight.role(), weight.index());
        return type == DType.FP32 ? 0 : weight.elements() * type.bytes();
    }

    /** The matrices of layers; tables and vectors stay in fp32 in every precision. */
    private static boolean isLinear(WeightShape weight) {
        return weight.role().perLayer() && weight.shape().size() == 2;
    }

    @Override
    public Encoder load(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
        MemoryPlan plan = plan(spec, weights.types(), options);
        MemoryLedger.Reservation reservation = memory.reserve(options.tenant(), plan);
        try {
            return new CpuEncoder(spec, weights, options, reservation, changed -> {
                long free = memory.freeBytes() + reservation.plan().totalBytes();
                new FitPlanner(spec, weights.types(), this, free).requireFitting(changed);
                reservation.resize(plan(spec, weights.types(), changed));
            });
        } catch (RuntimeException | Error e) {
            reservation.close();
            throw e;
        }
    }

    private void requirePrecision(Precision precision) {
        if (!precisions().contains(precision)) {
            throw new UnsupportedModelException(
                    "The CPU does not offer the precision " + precision + ". It offers " + precisions() + ".");
        }
    }

    @Override
    public IndexPlan planIndex(IndexSpec spec, int rows) {
        return CpuIndexShard.plan(spec, rows);
    }

    @Override
    public IndexShard index(IndexSpec spec) {
        return new CpuIndexShard(spec, memory);
    }

    @Override
    public void close() {}
}
