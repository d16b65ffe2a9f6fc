// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads what {@code jcuda.driver.JCudaDriver} and {@code jcuda.jcublas.JCublas2} need. Whoever uses these classes calls
 * {@link #load} before.
 *
 * <p>Either everything is there afterwards, or an exception says what is missing and no class of JCuda has been touched:
 * the next call tries again. Any number of threads, class loaders and processes may do this at once.
 *
 * @param driverVersion what the driver offers: 12020 for CUDA 12.2
 * @param cublasMajor 12 or 13
 * @param cublasOrigin where cuBLAS was found
 */
public record CudaLibraries(int driverVersion, int cublasMajor, String cublasOrigin) {
    private static final Logger LOG = LoggerFactory.getLogger(CudaLibraries.class);

    private static final String DRIVER_CLASS = "jcuda.driver.JCudaDriver";
    private static final String CUBLAS_CLASS = "jcuda.jcublas.JCublas2";

    private static @Nullable Path driverNative;
    private static @Nullable CudaLibraries loaded;

    /**
     * Loads the driver and cuBLAS, once.
     *
     * @return what was loaded
     * @throws CudaUnavailableException if something is missing; may be called again
     */
    public static synchronized CudaLibraries load() {
        CudaLibraries before = loaded;
        if (before != null) {
            return before;
        }
        Platform platform = loadDriver();
        int driverVersion = DriverVersion.requireNew();
        CublasLoader.Cublas cublas = CublasLoader.load(platform, driverVersion);
        JcudaClasses.initialise(CUBLAS_CLASS, cublas.jcudaNative());
        CudaLibraries result = new CudaLibraries(driverVersion, cublas.major(), cublas.origin());
        LOG.debug("{}", result);
        loaded = result;
        return result;
    }

    /**
     * Loads the driver only, once; enough to ask for devices.
     *
     * @throws CudaUnavailableException if it is missing; may be called again
     */
    static synchronized Platform loadDriver() {
        Platform platform = Platform.current()
                .orElseThrow(() -> new CudaUnavailableException(
                        CudaProblem.UNSUPPORTED_PLATFORM,
                        "CUDA is offered on Linux and Windows with x86_64; this is " + System.getProperty("os.name")
                                + " with " + System.getProperty("os.arch") + ".",
                        "Use the device cpu."));
        if (driverNative == null) {
            JcudaNative library = JcudaNative.of("JCudaDriver", platform);
            Path file = DriverLoader.load(platform, library);
            initialiseDriver(file);
            driverNative = file;
        }
        return platform;
    }

    private static void initialiseDriver(Path file) {
        try {
            JcudaClasses.initialise(DRIVER_CLASS, file);
        } catch (LinkageError e) {
            throw new CudaUnavailableException(
                    CudaProblem.NATIVES_UNUSABLE,
                    "JCuda was used in this JVM before embed4j, without success, and cannot be used again: "
                            + e.getMessage() + ".",
                    "Start the JVM again, and let embed4j look for devices first.");
        }
    }
}
