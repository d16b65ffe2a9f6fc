// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import jcuda.driver.CUresult;

/** Errors of the driver while it is asked for devices: by name, with what helps against each. */
final class DriverError {
    private DriverError() {}

    /**
     * A device, or all of them, cannot be used.
     *
     * @param call what was called and, where it matters, on which device
     * @param status what it returned
     */
    static CudaUnavailableException unusable(String call, int status) {
        return new CudaUnavailableException(
                CudaProblem.DEVICE_UNUSABLE,
                call + " failed with " + CUresult.stringFor(status) + " (" + status + ").",
                remedy(status));
    }

    private static String remedy(int status) {
        return switch (status) {
            case CUresult.CUDA_ERROR_OUT_OF_MEMORY ->
                "The device's memory is full, not even a context fits: end the processes that nvidia-smi shows.";
            case CUresult.CUDA_ERROR_STUB_LIBRARY ->
                "The libcuda.so.1 that was found is the CUDA toolkit's stub for linking: take its stubs folder out of"
                        + " LD_LIBRARY_PATH.";
            case CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE ->
                "Another process holds the device for itself, or its compute mode forbids use: see nvidia-smi -q -d"
                        + " COMPUTE.";
            case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE ->
                "The device's memory is damaged until it is reset: see nvidia-smi -q -d ECC.";
            case CUresult.CUDA_ERROR_SYSTEM_NOT_READY ->
                "Start the system's services for its GPUs; with NVSwitch that is nvidia-fabricmanager.";
            case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
                "The driver's library and its kernel module differ: reboot after an update of the driver, and take a"
                        + " container's CUDA compat folder out of LD_LIBRARY_PATH.";
            default ->
                "If nvidia-smi fails as well, reload or reinstall the driver; its messages are in the kernel's log"
                        + " (dmesg, NVRM).";
        };
    }
}
