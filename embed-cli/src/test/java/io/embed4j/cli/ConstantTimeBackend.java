// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.DeviceInfo;
import io.embed4j.Precision;
import io.embed4j.core.device.LiveMemoryLedger;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexPlan;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import io.embed4j.spi.VectorBlock;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTypes;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A device whose encoder does nothing: a row's vector is its number of tokens and its second token's id. Found by
 * {@link java.util.ServiceLoader} where a test puts it on the class path.
 */
public final class ConstantTimeBackend implements BackendProvider {
    /** Must be one that the command knows; goes before a real GPU of the same name. */
    static final String DEVICE = "cuda:0";

    /** For {@link java.util.ServiceLoader}. */
    public ConstantTimeBackend() {}

    @Override
    public String name() {
        return DeviceId.parse(DEVICE).backend();
    }

    @Override
    public int priority() {
        return Integer.MAX_VALUE;
    }

    @Override
    public List<DeviceProbe> probe() {
        return List.of(DeviceProbe.usable(DeviceId.parse(DEVICE), info()));
    }

    private static DeviceInfo info() {
        return new DeviceInfo(DEVICE, "cuda", "a device that does nothing", "nothing", 1L << 30, 1L << 30);
    }

    @Override
    public Device open(DeviceId id) {
        return new IdleDevice();
    }

    private static final class IdleDevice implements Device {
        private final MemoryLedger memory = new LiveMemoryLedger(DEVICE, 1L << 30, () -> 1L << 30);

        @Override
        public DeviceInfo info() {
            return ConstantTimeBackend.info();
        }

        @Override
        public MemoryLedger memory() {
            return memory;
        }

        @Override
        public List<Precision> precisions() {
            return List.of(Precision.FP32);
        }

        @Override
        public int defaultBatchTokens(int maxTokensPerText) {
            return maxTokensPerText;
        }

        @Override
        public MemoryPlan plan(EncoderSpec spec, WeightTypes stored, EncoderOptions options) {
            return new MemoryPlan(0, 0, 0);
        }

        @Override
        public Encoder load(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
            return new IdleEncoder();
        }

        @Override
        public IndexPlan planIndex(IndexSpec spec, int rows) {
            return new IndexPlan(new MemoryPlan(0, 0, 0), 0);
        }

        @Override
        public IndexShard index(IndexSpec spec) {
            throw new UnsupportedOperationException("only encodes");
        }

        @Override
        public void close() {}
    }

    private static final class IdleEncoder implements Encoder {
        @Override
        public Submission submit(PackedBatch batch, OutputRequest request) {
            int dimension = ((OutputRequest.Pooled) request).dimension();
            CompletableFuture<VectorBlock> result = CompletableFuture.completedFuture(new Rows(batch, dimension));
            return () -> result;
        }

        @Override
        public Limits limits() {
            return new Limits(4096, Long.MAX_VALUE, 2);
        }

        @Override
        public void resizeBudget(int maxBatchTokens) {
            throw new UnsupportedOperationException("the command does not use it");
        }

        @Override
        public void close() {}
    }

    private record Rows(PackedBatch batch, int dimension) implements VectorBlock {
        @Override
        public int rows() {
            return batch.rows();
        }

        @Override
        public DType type() {
            return DType.FP32;
        }

        @Override
        public DeviceId device() {
            return DeviceId.parse(DEVICE);
        }

        @Override
        public void copyTo(FloatBuffer out) {
            for (int row = 0; row < batch.rows(); row++) {
                for (int i = 0; i < dimension; i++) {
                    out.put(i == 0 ? batch.length(row) : batch.tokenIds()[batch.cuSeqLens()[row] + 1]);
                }
            }
        }

        @Override
        public void close() {}
    }
}
