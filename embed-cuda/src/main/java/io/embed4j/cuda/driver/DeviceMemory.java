// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.driver.JCudaDriver;

/** A piece of device memory, aligned to 256 bytes at least. Its contents are undefined until written. */
public final class DeviceMemory implements AutoCloseable {
    private final CudaContext context;
    private final DevicePointer pointer = new DevicePointer();
    private final long bytes;
    private final AtomicBoolean open = new AtomicBoolean(true);

    /**
     * Allocates.
     *
     * @param context the device's context, current on this thread
     * @param bytes how many, at least 1
     * @throws CudaException if there is no room
     */
    public DeviceMemory(CudaContext context, long bytes) {
        this.context = context;
        this.bytes = bytes;
        check(JCudaDriver.cuMemAlloc(pointer, bytes), "cuMemAlloc of " + bytes + " bytes on " + context);
    }

    /** Where it begins. */
    public DevicePointer pointer() {
        return pointer;
    }

    /** How large it is. */
    public long bytes() {
        return bytes;
    }

    /** Frees the memory. Work that uses it must have ended. */
    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            context.makeCurrent();
            check(JCudaDriver.cuMemFree(pointer), "cuMemFree of " + bytes + " bytes on " + context);
        }
    }
}
