// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.DeviceInfo;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.core.device.LiveMemoryLedger;
import io.embed4j.core.fit.FitPlanner;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.cuda.natives.CudaLibraries;
import io.embed4j.spec.EncoderSpec;
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
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One GPU: its context, the kernels loaded on it, and the account of its memory. */
final class CudaDevice implements Device {
    private static final Logger LOG = LoggerFactory.getLogger(CudaDevice.class);

    private final DeviceInfo info;
    private final CudaContext context;
    private final int computeCapability;
    private final Resources resources;
    private final KernelModule module;
    private final MemoryLedger memory;
    private final CudaPlanner planner;

    private CudaDevice(DeviceInfo info, CudaContext context, Resources resources, KernelModule module) {
        this.info = info;
        this.context = context;
        this.computeCapability = context.computeCapability();
        this.resources = resources;
        this.module = module;
        this.memory = new LiveMemoryLedger(info.id(), context.totalBytes(), this::askForFreeBytes);
        this.planner = new CudaPlanner(info, computeCapability, context.totalBytes(), this::askForFreeBytes);
    }

    /**
     * Opens a device and loads the kernels.
     *
     * @param info what the probe found
     * @param ordinal the device's number
     * @param libraries the loaded libraries
     * @throws DeviceUnavailableException if the driver refuses
     */
    static CudaDevice open(DeviceInfo info, int ordinal, CudaLibraries libraries) {
        Resources resources = new Resources();
        try {
            CudaContext context = resources.add(new CudaContext(ordinal));
            KernelModule module = resources.add(load(context, libraries.driverVersion()));
            return new CudaDevice(info, context, resources, module);
        } catch (CudaException e) {
            resources.close();
            throw new DeviceUnavailableException(
                    "The device \"" + info.id() + "\" cannot be used: " + e.getMessage()
                            + " Is another process using it exclusively, or is it out of memory?",
                    e);
        } catch (RuntimeException | Error e) {
            resources.close();
            throw e;
        }
    }

    /** Takes the first image that the driver does: one may refuse machine code and still compile PTX. */
    private static KernelModule load(CudaContext context, int driverVersion) {
        CudaException refusal = null;
        for (KernelImages.Image image : KernelImages.ofThisJar().suitable(driverVersion, context.computeCapability())) {
            try {
                return new KernelModule(context, image.bytes());
            } catch (CudaException e) {
                if (!e.isRefusedImage()) {
                    throw e;
                }
                LOG.warn("The driver refuses the kernels in {}: {}", image.file(), e.getMessage());
                refusal = e;
            }
        }
        throw Objects.requireNonNull(refusal);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public MemoryLedger memory() {
        return memory;
    }

    private long askForFreeBytes() {
        context.makeCurrent();
        return context.freeBytes();
    }

    @Override
    public long processBytes() {
        return planner.processBytes();
    }

    @Override
    public long graphBytes(EncoderSpec spec) {
        return planner.graphBytes(spec);
    }

    @Override
    public List<Precision> precisions() {
        return planner.precisions();
    }

    @Override
    public List<Precision> plannedPrecisions() {
        return planner.plannedPrecisions();
    }

    @Override
    public int defaultBatchTokens(int maxTokensPerText) {
        return planner.defaultBatchTokens(maxTokensPerText);
    }

    @Override
    public MemoryPlan plan(EncoderSpec spec, WeightTypes stored, EncoderOptions options) {
        return planner.plan(spec, stored, options);
    }

    @Override
    public Encoder load(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
        new FitPlanner(spec, weights.types(), this).requireFitting(options);
        EncoderArena arena = planner.arena(spec, options);
        MemoryLedger.Reservation reservation = memory.reserve(options.tenant(), arena.memoryPlan());
        try {
            context.makeCurrent();
            EncoderEngine engine = new EncoderEngine(context, module, computeCapability, spec, weights, arena);
            return new CudaEncoder(
                    context,
                    new ResizableArena(spec, weights, options, arena, reservation),
                    engine,
                    new VectorRooms(context, memory));
        } catch (CudaException e) {
            reservation.close();
            if (e.isOutOfMemory()) {
                throw new OutOfDeviceMemoryException(report(spec, weights, options), e);
            }
            throw e;
        } catch (RuntimeException | Error e) {
            reservation.close();
            throw e;
        }
    }

    private FitReport report(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
        return new FitPlanner(spec, weights.types(), this).report(options);
    }

    /** An encoder's memory in the device's account, whose budget may change. */
    final class ResizableArena implements CudaEncoder.Account {
        private final EncoderSpec spec;
        private final WeightSource weights;
        private final MemoryLedger.Reservation reservation;
        private EncoderOptions options;
        private EncoderArena arena;

        ResizableArena(
                EncoderSpec spec,
                WeightSource weights,
                EncoderOptions options,
                EncoderArena arena,
                MemoryLedger.Reservation reservation) {
            this.spec = spec;
            this.weights = weights;
            this.options = options;
            this.arena = arena;
            this.reservation = reservation;
        }

        @Override
        public String tenant() {
            return options.tenant();
        }

        @Override
        public int maxTokens() {
            return arena.activations().maxTokens();
        }

        @Override
        public FitReport report() {
            return CudaDevice.this.report(spec, weights, options);
        }

        @Override
        public void resize(int maxBatchTokens, EncoderEngine engine) {
            EncoderOptions changed = options.withMaxBatchTokens(maxBatchTokens);
            long free = memory.freeBytes() + reservation.plan().totalBytes();
            new FitPlanner(spec, weights.types(), CudaDevice.this, free).requireFitting(changed);
            EncoderArena other = planner.arena(spec, changed);
            reservation.resize(other.memoryPlan());
            try {
                engine.resize(arena, other);
            } catch (CudaException e) {
                reservation.resize(arena.memoryPlan());
                if (engine.isUsable() && e.isOutOfMemory()) {
                    throw new OutOfDeviceMemoryException(CudaDevice.this.report(spec, weights, changed), e);
                }
                throw e;
            }
            options = changed;
            arena = other;
        }

        @Override
        public void close() {
            reservation.close();
        }
    }

    @Override
    public IndexPlan planIndex(IndexSpec spec, int rows) {
        return planner.planIndex(spec, rows);
    }

    @Override
    public IndexShard index(IndexSpec spec) {
        planner.requireSupported(spec);
        context.makeCurrent();
        return new CudaIndexShard(context, spec, new ShardMemory(info.id(), context, module, memory, spec));
    }

    @Override
    public void close() {
        resources.close();
    }
}
