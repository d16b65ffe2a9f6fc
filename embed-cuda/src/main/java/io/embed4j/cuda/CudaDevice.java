// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.DeviceInfo;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.device.FitPlanner;
import io.embed4j.core.device.LiveMemoryLedger;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.cuda.natives.CudaLibraries;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spi.Device;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexPlan;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.WeightSource;
import java.util.List;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One GPU: its context, the kernels loaded on it, and the account of its memory. */
final class CudaDevice implements Device {
    private static final Logger LOG = LoggerFactory.getLogger(CudaDevice.class);

    /** Tensor cores multiply bf16 from here on. */
    private static final int FIRST_WITH_BF16 = 80;

    private final DeviceInfo info;
    private final CudaContext context;
    private final int computeCapability;
    private final Resources resources;
    private final KernelModule module;
    private final MemoryLedger memory;

    private CudaDevice(DeviceInfo info, CudaContext context, Resources resources, KernelModule module) {
        this.info = info;
        this.context = context;
        this.computeCapability = context.computeCapability();
        this.resources = resources;
        this.module = module;
        this.memory = new LiveMemoryLedger(info.id(), context.totalBytes(), this::freeBytes);
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

    private long freeBytes() {
        context.makeCurrent();
        return context.freeBytes();
    }

    @Override
    public List<Precision> precisions() {
        return computeCapability >= FIRST_WITH_BF16
                ? List.of(Precision.FP16, Precision.BF16, Precision.FP32)
                : List.of(Precision.FP16, Precision.FP32);
    }

    @Override
    public MemoryPlan plan(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
        requireSupported(spec, options.precision());
        return arena(spec, options).memoryPlan();
    }

    private EncoderArena arena(EncoderSpec spec, EncoderOptions options) {
        return EncoderArena.plan(spec, options, computeCapability);
    }

    private void requireSupported(EncoderSpec spec, Precision precision) {
        if (!precisions().contains(precision)) {
            throw new UnsupportedModelException("The device " + info.id() + " does not offer the precision " + precision
                    + ". It offers " + precisions() + ".");
        }
        if (precision == Precision.FP16 && spec.overflowsFp16()) {
            throw new UnsupportedModelException(
                    "The activations of this model's family overflow fp16. Use bf16, or fp32.");
        }
        boolean scaled = spec.layers().stream()
                .flatMap(layer -> layer.attention().rotary().stream())
                .anyMatch(rotary -> !(rotary.scaling() instanceof RopeScaling.None));
        if (scaled) {
            throw new UnsupportedModelException(
                    "The CUDA backend of this version does not run models with scaled rotary positions.");
        }
        for (int i = 1; i < spec.head().size(); i++) {
            if (spec.head().get(i) instanceof HeadModule.LayerNorm
                    && spec.head().get(i - 1) instanceof HeadModule.Normalize) {
                throw new UnsupportedModelException(
                        "The CUDA backend of this version does not run models with LayerNorm behind Normalize.");
            }
        }
    }

    @Override
    public Encoder load(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
        FitReport report = FitPlanner.report(spec, weights, this, options);
        if (report.neededBytes() > report.freeBytes()) {
            throw new OutOfDeviceMemoryException(report);
        }
        EncoderArena arena = arena(spec, options);
        MemoryLedger.Reservation reservation = memory.reserve(options.tenant(), arena.memoryPlan());
        try {
            context.makeCurrent();
            EncoderEngine engine = new EncoderEngine(context, module, computeCapability, spec, weights, arena);
            return new CudaEncoder(
                    context,
                    options.tenant(),
                    arena.activations().maxTokens(),
                    engine,
                    () -> FitPlanner.report(spec, weights, this, options),
                    reservation);
        } catch (CudaException e) {
            reservation.close();
            if (e.isOutOfMemory()) {
                throw new OutOfDeviceMemoryException(FitPlanner.report(spec, weights, this, options), e);
            }
            throw e;
        } catch (RuntimeException | Error e) {
            reservation.close();
            throw e;
        }
    }

    @Override
    public IndexPlan planIndex(IndexSpec spec, int rows) {
        throw noIndex();
    }

    @Override
    public IndexShard index(IndexSpec spec) {
        throw noIndex();
    }

    private static UnsupportedModelException noIndex() {
        return new UnsupportedModelException(
                "The CUDA backend of this version has no index. Use the device cpu for it.");
    }

    @Override
    public void close() {
        resources.close();
    }
}
