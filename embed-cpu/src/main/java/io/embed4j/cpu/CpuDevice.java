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
    /** Nodes, threads and small buffers of a session: 5 to 50 MiB were measured for models of 100 M parameters. */
    private static final long SESSION_BYTES = 16L << 20;

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
     * <p>Matrices of layers count as they are multiplied: ONNX Runtime repacks them and lets go of the mapped originals.
     * Tables stay mapped as they are stored. The session for single texts has a second copy of the matrices, which is the
     * workspace here, with what ONNX Runtime keeps for each session whatever the model. Activations count what is alive at once in a layer, for every batch that may be under way. What a model
     * takes for a moment while it loads is not in the plan: docs/numerics.md says how much.
     */
    @Override
    public MemoryPlan plan(EncoderSpec spec, WeightTypes stored, EncoderOptions options) {
        EncoderGraph.requireSupported(spec);
        requirePrecision(options.precision());
        DType linear = options.precision() == Precision.INT8 ? DType.INT8 : DType.FP32;
        long weightBytes = spec.weightShapes().stream()
                .mapToLong(weight ->
                        weight.elements() * typeInMemory(weight, stored, linear).bytes())
                .sum();
        Encoder.Limits limits = CpuEncoder.limits(spec, options);
        long perToken = spec.layers().stream()
                .mapToLong(layer -> 3L * spec.hiddenSize()
                        + 8L * layer.attention().projectionSize()
                        + 2L * layer.feedForward().intermediateSize())
                .max()
                .orElse(0);
        // Only with a bias does ONNX Runtime keep the scores of all pairs; else they stay in the cache.
        long scores = EncoderGraph.hasDistanceBias(spec)
                ? spec.layers().get(0).attention().heads() * limits.maxPaddedPairs()
                : 0;
        long perBatch = (perToken * limits.maxTokens() + scores) * DType.FP32.bytes();
        long matrixBytes = spec.weightShapes().stream()
                .filter(CpuDevice::isLinear)
                .mapToLong(weight -> weight.elements() * linear.bytes())
                .sum();
        boolean sessionForSingles = limits.concurrentBatches() > 1;
        long workspaceBytes = sessionForSingles ? matrixBytes + 2 * SESSION_BYTES : SESSION_BYTES;
        return new MemoryPlan(weightBytes, perBatch * limits.concurrentBatches(), workspaceBytes);
    }

    private static DType typeInMemory(WeightShape weight, WeightTypes stored, DType linear) {
        if (isLinear(weight)) {
            return linear;
        }
        return EncoderGraph.isTable(weight.role()) ? stored.type(weight.role(), weight.index()) : DType.FP32;
    }

    /** The matrices of layers. */
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
