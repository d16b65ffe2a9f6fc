// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import io.embed4j.DeviceInfo;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * Looks for CUDA devices. It never throws, leaves nothing behind that would keep a later look from finding what has come
 * meanwhile, and names what is in the way ({@link CudaProblem}).
 *
 * <p>A device counts as usable once its primary context has been made and has told the free memory, so that a device that
 * is listed and cannot be used is found here. The context is given back at once.
 */
public final class CudaProbe {
    /** What the driver has to offer: CUDA 12.2, driver release 535. */
    public static final int NEEDED_DRIVER_VERSION = DriverVersion.NEEDED;

    /** Ten times the compute capability that a device has to have. */
    public static final int NEEDED_COMPUTE_CAPABILITY = 75;

    private static final String BACKEND = "cuda";
    private static final int NAME_BYTES = 256;

    private CudaProbe() {}

    /**
     * Looks for devices.
     *
     * @return one entry per device; a single unusable one, cuda:0, if there is none
     */
    public static List<DeviceProbe> devices() {
        try {
            return look();
        } catch (CudaUnavailableException e) {
            return List.of(unusable(new DeviceId(BACKEND, 0), e));
        } catch (RuntimeException | LinkageError e) {
            return List.of(unusable(new DeviceId(BACKEND, 0), unexpected(e)));
        }
    }

    private static List<DeviceProbe> look() {
        CudaLibraries.loadDriver();
        int driverVersion = DriverVersion.requireNew();
        int count = countDevices();
        Optional<CudaUnavailableException> libraries = missingLibraries();
        List<DeviceProbe> probes = new ArrayList<>();
        for (int ordinal = 0; ordinal < count; ordinal++) {
            probes.add(look(new DeviceId(BACKEND, ordinal), driverVersion, libraries));
        }
        return probes;
    }

    private static int countDevices() {
        int status = JCudaDriver.cuInit(0);
        if (status == CUresult.CUDA_ERROR_NO_DEVICE) {
            throw noDevice();
        }
        require(status, "cuInit");
        int[] count = {0};
        require(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
        if (count[0] == 0) {
            throw noDevice();
        }
        return count[0];
    }

    private static CudaUnavailableException noDevice() {
        String visible = System.getenv("CUDA_VISIBLE_DEVICES");
        return new CudaUnavailableException(
                CudaProblem.NO_DEVICE,
                "The NVIDIA driver is there and shows no device"
                        + (visible == null ? "." : "; CUDA_VISIBLE_DEVICES is \"" + visible + "\"."),
                (visible == null ? "" : "Unset CUDA_VISIBLE_DEVICES or name a device that exists. ")
                        + "nvidia-smi -L lists the devices; give them to the container if this is one.");
    }

    private static Optional<CudaUnavailableException> missingLibraries() {
        try {
            CudaLibraries.load();
            return Optional.empty();
        } catch (CudaUnavailableException e) {
            return Optional.of(e);
        }
    }

    /** What is known of a device when something is in the way is told all the same. */
    private static DeviceProbe look(DeviceId id, int driverVersion, Optional<CudaUnavailableException> libraries) {
        DeviceInfo seen = null;
        try {
            CUdevice device = new CUdevice();
            require(JCudaDriver.cuDeviceGet(device, id.ordinal()), "cuDeviceGet of " + id);
            String name = name(device, id);
            int computeCapability = computeCapability(device, id, name);
            long[] total = {0};
            require(JCudaDriver.cuDeviceTotalMem(total, device), "cuDeviceTotalMem of " + described(id, name));
            seen = info(id, name, computeCapability, driverVersion, libraries.isPresent(), total[0], 0);
            requireNewDevice(computeCapability, id, name);
            if (libraries.isPresent()) {
                throw libraries.get();
            }
            long free = freeBytes(device, described(id, name));
            return DeviceProbe.usable(id, info(id, name, computeCapability, driverVersion, false, total[0], free));
        } catch (CudaUnavailableException e) {
            return unusable(id, seen, e);
        } catch (RuntimeException | LinkageError e) {
            return unusable(id, seen, unexpected(e));
        }
    }

    private static DeviceInfo info(
            DeviceId id,
            String name,
            int computeCapability,
            int driverVersion,
            boolean withoutCublas,
            long totalBytes,
            long freeBytes) {
        String cuda = DriverVersion.text(driverVersion);
        Optional<String> release = Machine.current().kernelModule();
        Map<String, String> details = new LinkedHashMap<>();
        details.put("computeCapability", computeCapability / 10 + "." + computeCapability % 10);
        release.ifPresent(driver -> details.put("driver", driver));
        details.put("cuda", cuda.replace("CUDA ", ""));
        String engine = cuda + release.map(driver -> ", driver " + driver).orElse("");
        if (!withoutCublas) {
            CudaLibraries loaded = CudaLibraries.load();
            details.put("cublas", loaded.cublasMajor() + " in " + loaded.cublasOrigin());
            engine += ", cuBLAS " + loaded.cublasMajor();
        }
        return new DeviceInfo(id.toString(), BACKEND, name, engine, totalBytes, freeBytes, details);
    }

    private static String name(CUdevice device, DeviceId id) {
        byte[] bytes = new byte[NAME_BYTES];
        require(JCudaDriver.cuDeviceGetName(bytes, bytes.length, device), "cuDeviceGetName of " + id);
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8);
    }

    private static int computeCapability(CUdevice device, DeviceId id, String name) {
        int major = attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, id, name);
        int minor = attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, id, name);
        return major * 10 + minor;
    }

    private static void requireNewDevice(int computeCapability, DeviceId id, String name) {
        if (computeCapability < NEEDED_COMPUTE_CAPABILITY) {
            throw new CudaUnavailableException(
                    CudaProblem.DEVICE_TOO_OLD,
                    described(id, name) + " has compute capability " + computeCapability / 10 + "."
                            + computeCapability % 10 + "; needed is 7.5.",
                    "Use a device of the Turing generation (2018) or newer, or the device cpu.");
        }
    }

    private static int attribute(CUdevice device, int attribute, DeviceId id, String name) {
        int[] value = {0};
        require(
                JCudaDriver.cuDeviceGetAttribute(value, attribute, device),
                "cuDeviceGetAttribute of " + described(id, name));
        return value[0];
    }

    private static long freeBytes(CUdevice device, String described) {
        CUcontext context = new CUcontext();
        require(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain of " + described);
        try {
            require(JCudaDriver.cuCtxPushCurrent(context), "cuCtxPushCurrent of " + described);
            try {
                long[] free = {0};
                long[] total = {0};
                require(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo of " + described);
                return free[0];
            } finally {
                JCudaDriver.cuCtxPopCurrent(new CUcontext());
            }
        } finally {
            JCudaDriver.cuDevicePrimaryCtxRelease(device);
        }
    }

    private static String described(DeviceId id, String name) {
        return id + " (" + name + ")";
    }

    private static void require(int status, String call) {
        if (status != CUresult.CUDA_SUCCESS) {
            throw DriverError.unusable(call, status);
        }
    }

    private static CudaUnavailableException unexpected(Throwable e) {
        return new CudaUnavailableException(
                CudaProblem.DEVICE_UNUSABLE,
                "Looking for CUDA devices failed: " + e + ".",
                "Please report this, with the output of nvidia-smi.");
    }

    private static DeviceProbe unusable(DeviceId id, CudaUnavailableException e) {
        return unusable(id, null, e);
    }

    private static DeviceProbe unusable(DeviceId id, @Nullable DeviceInfo seen, CudaUnavailableException e) {
        return seen == null
                ? DeviceProbe.unusable(id, e.seen(), e.remedy())
                : DeviceProbe.unusable(id, seen, e.seen(), e.remedy());
    }
}
