// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.util.Locale;

/**
 * What can keep a CUDA device from being used. Each has a section in docs/troubleshooting-cuda.md with the cause and the
 * remedy; a test keeps the two together.
 */
public enum CudaProblem {
    /** Not Linux or Windows on x86_64. */
    UNSUPPORTED_PLATFORM,
    /** The JCuda natives are not on the class path. */
    NATIVES_MISSING,
    /** The JCuda natives cannot be unpacked or loaded from any directory. */
    NATIVES_UNUSABLE,
    /** No libcuda.so.1, nvcuda.dll on Windows. */
    NO_DRIVER,
    /** The driver is older than {@link CudaProbe#NEEDED_DRIVER_VERSION}. */
    DRIVER_TOO_OLD,
    /** There is a driver, and no device. */
    NO_DEVICE,
    /** No cuBLAS that suits the driver. */
    CUBLAS_MISSING,
    /** Compute capability below 7.5. */
    DEVICE_TOO_OLD,
    /** The driver refuses the device. */
    DEVICE_UNUSABLE;

    /** The document with a section for each problem, from the root of the repository. */
    static final String DOCUMENT = "docs/troubleshooting-cuda.md";

    /** The name of the section. */
    public String anchor() {
        return "cuda-" + name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Document and section, for the end of a message. */
    public String link() {
        return DOCUMENT + "#" + anchor();
    }
}
