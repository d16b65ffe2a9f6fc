// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.util.Optional;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Which CUDA the driver offers, and which we need. Uses JCudaDriver: only after it has been initialised. */
final class DriverVersion {
    /** CUDA 12.2: the oldest that our kernel images are made for (KernelImages). */
    static final int NEEDED = 12_020;

    /** The first driver release with CUDA 12.2. */
    static final String NEEDED_RELEASE = "535";

    private DriverVersion() {}

    /**
     * Asks the driver; no device is needed for it.
     *
     * @return 12020 for CUDA 12.2
     * @throws CudaUnavailableException if it is too old, or does not answer
     */
    static int requireNew() {
        int[] version = {0};
        int status = JCudaDriver.cuDriverGetVersion(version);
        if (status != CUresult.CUDA_SUCCESS) {
            throw DriverError.unusable("cuDriverGetVersion", status);
        }
        if (version[0] < NEEDED) {
            Optional<String> release = Machine.current().kernelModule();
            throw new CudaUnavailableException(
                    CudaProblem.DRIVER_TOO_OLD,
                    "The NVIDIA driver" + release.map(name -> " " + name).orElse("") + " offers " + text(version[0])
                            + "; needed is " + text(NEEDED) + ".",
                    "Install driver release " + NEEDED_RELEASE + " or newer.");
        }
        return version[0];
    }

    /** {@code CUDA 12.2} for 12020. */
    static String text(int version) {
        return "CUDA " + version / 1000 + "." + version % 1000 / 10;
    }
}
