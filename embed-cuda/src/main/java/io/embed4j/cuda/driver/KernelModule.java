// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/** Kernels loaded on a device. */
public final class KernelModule implements AutoCloseable {
    private final CudaContext context;
    private final CUmodule module = new CUmodule();
    private final Map<String, Kernel> kernels = new ConcurrentHashMap<>();
    private final AtomicBoolean open = new AtomicBoolean(true);

    /**
     * Loads an image.
     *
     * @param context the device's context, current on this thread
     * @param image cubin, fat binary or zero-terminated PTX
     */
    public KernelModule(CudaContext context, byte[] image) {
        this.context = context;
        check(
                JCudaDriver.cuModuleLoadData(module, image),
                "cuModuleLoadData of " + image.length + " bytes on " + context);
    }

    /**
     * Finds a kernel.
     *
     * @param name its name in the image
     * @throws CudaException if the image has none of that name
     */
    public Kernel kernel(String name) {
        return kernels.computeIfAbsent(name, key -> {
            CUfunction function = new CUfunction();
            check(JCudaDriver.cuModuleGetFunction(function, module, key), "cuModuleGetFunction of " + key);
            return new Kernel(context, key, function);
        });
    }

    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            context.makeCurrent();
            check(JCudaDriver.cuModuleUnload(module), "cuModuleUnload on " + context);
        }
    }
}
