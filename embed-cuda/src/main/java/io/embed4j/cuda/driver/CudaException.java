// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import io.embed4j.EmbedException;
import jcuda.driver.CUresult;
import jcuda.jcublas.cublasStatus;

/** A CUDA driver or cuBLAS call that failed. */
public final class CudaException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /** First and last of the codes after which a context is lost: illegal address, timeout, assert, launch failure... */
    private static final int FIRST_STICKY = CUresult.CUDA_ERROR_ILLEGAL_ADDRESS;

    private static final int LAST_STICKY = CUresult.CUDA_ERROR_LAUNCH_FAILED;

    private final int code;

    private CudaException(String message, int code) {
        super(message);
        this.code = code;
    }

    /**
     * Passes a driver call's return code if it is success.
     *
     * @param result CUresult
     * @param call the call as the reader knows it, with sizes and device: "cuMemAlloc of 512 bytes on cuda:0"
     * @throws CudaException if it is anything else
     */
    static void check(int result, String call) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw new CudaException(call + " failed: " + CUresult.stringFor(result) + " (" + result + ").", result);
        }
    }

    /**
     * Passes a cuBLAS call's return code if it is success.
     *
     * @param status cublasStatus
     * @param call the call as the reader knows it
     * @throws CudaException if it is anything else
     */
    static void checkCublas(int status, String call) {
        if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
            int code = status == cublasStatus.CUBLAS_STATUS_ALLOC_FAILED
                    ? CUresult.CUDA_ERROR_OUT_OF_MEMORY
                    : CUresult.CUDA_ERROR_UNKNOWN;
            throw new CudaException(call + " failed: " + cublasStatus.stringFor(status) + " (" + status + ").", code);
        }
    }

    /** The driver's code, of type CUresult. */
    public int code() {
        return code;
    }

    /** Whether the device, or the host for pinned memory, has no room. */
    public boolean isOutOfMemory() {
        return code == CUresult.CUDA_ERROR_OUT_OF_MEMORY;
    }

    /** Whether the driver cannot make use of a kernel image, and might of another. */
    public boolean isRefusedImage() {
        return code == CUresult.CUDA_ERROR_INVALID_IMAGE
                || code == CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU
                || code == CUresult.CUDA_ERROR_INVALID_PTX
                || code == CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION
                || code == CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND;
    }

    /** Whether the context is lost: every later call on it will fail as well. */
    public boolean isSticky() {
        return (code >= FIRST_STICKY && code <= LAST_STICKY)
                || code == CUresult.CUDA_ERROR_ECC_UNCORRECTABLE
                || code == CUresult.CUDA_ERROR_UNKNOWN;
    }
}
