// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import java.util.Locale;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUuuid;
import jcuda.driver.JCudaDriver;

/**
 * A device's primary context, which all users of the device in this process share. Thread-safe; each thread that calls
 * the driver has to {@link #makeCurrent} first.
 */
public final class CudaContext implements AutoCloseable {
    private final int ordinal;
    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();

    /**
     * Opens the context and makes it current on this thread.
     *
     * @param ordinal the device's number, from 0
     * @throws CudaException if there is no such device or it cannot be used
     */
    public CudaContext(int ordinal) {
        this.ordinal = ordinal;
        check(JCudaDriver.cuInit(0), "cuInit");
        check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet of " + this);
        check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain of " + this);
        makeCurrent();
    }

    /** Makes the context current on this thread: cheap, and to be done at the start of whatever a new thread does. */
    public void makeCurrent() {
        check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent of " + this);
    }

    /** Waits for all work on the device. */
    public void synchronize() {
        check(JCudaDriver.cuCtxSynchronize(), "cuCtxSynchronize of " + this);
    }

    /** The device's number. */
    public int ordinal() {
        return ordinal;
    }

    /** The device's marketing name. */
    public String name() {
        byte[] name = new byte[256];
        check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName of " + this);
        return text(name);
    }

    /** The device's UUID as nvidia-smi prints it. */
    public String uuid() {
        CUuuid uuid = new CUuuid();
        check(JCudaDriver.cuDeviceGetUuid(uuid, device), "cuDeviceGetUuid of " + this);
        StringBuilder text = new StringBuilder("GPU-");
        for (int i = 0; i < uuid.bytes.length; i++) {
            text.append(i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "")
                    .append(String.format(Locale.ROOT, "%02x", uuid.bytes[i]));
        }
        return text.toString();
    }

    /** Compute capability, major * 10 + minor: 75, 80, 90. */
    public int computeCapability() {
        return 10 * attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                + attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    }

    /**
     * Asks for a property.
     *
     * @param attribute a constant of CUdevice_attribute
     */
    public int attribute(int attribute) {
        int[] value = new int[1];
        check(
                JCudaDriver.cuDeviceGetAttribute(value, attribute, device),
                "cuDeviceGetAttribute " + attribute + " of " + this);
        return value[0];
    }

    /** The newest CUDA version the driver knows, 1000 * major + 10 * minor. */
    public static int driverVersion() {
        int[] version = new int[1];
        check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
        return version[0];
    }

    /** Free memory in bytes. The context must be current. */
    public long freeBytes() {
        return memory()[0];
    }

    /** All memory in bytes. The context must be current. */
    public long totalBytes() {
        return memory()[1];
    }

    private long[] memory() {
        long[] free = new long[1];
        long[] total = new long[1];
        check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo of " + this);
        return new long[] {free[0], total[0]};
    }

    private static String text(byte[] zeroTerminated) {
        int length = 0;
        while (length < zeroTerminated.length && zeroTerminated[length] != 0) {
            length++;
        }
        return new String(zeroTerminated, 0, length, java.nio.charset.StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        check(JCudaDriver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease of " + this);
    }

    @Override
    public String toString() {
        return "cuda:" + ordinal;
    }
}
