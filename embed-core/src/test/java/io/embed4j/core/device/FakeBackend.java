// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import io.embed4j.DeviceInfo;
import io.embed4j.Precision;
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
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTypes;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;

/**
 * A backend of devices that only plan.
 *
 * @param name what device ids begin with
 * @param priority its place under auto
 * @param probe what it finds
 * @param planByBudget the plan for a token budget
 * @param freeBytes free memory of every device
 * @param open how many of its devices are open
 */
public record FakeBackend(
        String name,
        int priority,
        List<DeviceProbe> probe,
        IntFunction<MemoryPlan> planByBudget,
        long freeBytes,
        AtomicInteger open)
        implements BackendProvider {

    /** Where the user sets no budget. */
    static final int DEFAULT_BATCH_TOKENS = 1000;

    /** What an index needs beside its vectors. */
    public static final long INDEX_WORKSPACE = 100;

    /** Devices that need no memory. */
    public FakeBackend(String name, int priority, DeviceProbe... probes) {
        this(name, priority, List.of(probes), budget -> new MemoryPlan(0, 0, 0), 1000, new AtomicInteger());
    }

    /** A device with so much free memory. */
    public FakeBackend(IntFunction<MemoryPlan> planByBudget, long freeBytes) {
        this("fake", 0, List.of(usable("fake:0")), planByBudget, freeBytes, new AtomicInteger());
    }

    /** A device that can be opened. */
    public static DeviceProbe usable(String id) {
        return DeviceProbe.usable(DeviceId.parse(id), info(id));
    }

    private static DeviceInfo info(String id) {
        return new DeviceInfo(id, "fake", "A device called " + id, "no engine", 2000, 1000);
    }

    @Override
    public Device open(DeviceId id) {
        open.incrementAndGet();
        return new PlanningDevice(id);
    }

    private final class PlanningDevice implements Device {
        private final DeviceId id;

        PlanningDevice(DeviceId id) {
            this.id = id;
        }

        @Override
        public DeviceInfo info() {
            return FakeBackend.info(id.toString());
        }

        @Override
        public MemoryLedger memory() {
            return new LiveMemoryLedger(id.toString(), 2000, () -> freeBytes);
        }

        @Override
        public List<Precision> precisions() {
            return List.of(Precision.FP32);
        }

        @Override
        public int defaultBatchTokens(int maxTokensPerText) {
            return DEFAULT_BATCH_TOKENS;
        }

        @Override
        public MemoryPlan plan(EncoderSpec spec, WeightTypes stored, EncoderOptions options) {
            return planByBudget.apply(options.maxBatchTokens());
        }

        @Override
        public Encoder load(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
            throw new UnsupportedOperationException();
        }

        @Override
        public IndexPlan planIndex(IndexSpec spec, int rows) {
            long vectors = (long) rows * spec.dimension() * spec.storage().bytes();
            return new IndexPlan(new MemoryPlan(vectors, 0, INDEX_WORKSPACE), 0);
        }

        @Override
        public IndexShard index(IndexSpec spec) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {
            open.decrementAndGet();
        }
    }
}
