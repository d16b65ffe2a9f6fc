// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.checkCublas;

import io.embed4j.spec.DType;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * Matrix products by cuBLAS, with a row-major face: y = x w^T, as linear layers have it.
 *
 * <p>cuBLAS counts columns first; a row-major [m, n] is its column-major [n, m]. So y^T = w x^T is what is asked for.
 * Products of every type are summed in fp32; fp32 itself is multiplied in full fp32 (TF32 is off). Not thread-safe.
 */
public final class Gemm implements AutoCloseable {
    private static final int HOST_SCALARS = 0;

    /**
     * In fp32, sums are taken in slices of so many products: one running sum over the 1536 of MiniLM's feed-forward block
     * loses more than the reference does, which sums in several lanes. 16-bit storage rounds more than such a sum loses.
     */
    private static final int FP32_SLICE = 256;

    private final CudaContext context;
    private final cublasHandle handle = new cublasHandle();
    private final PinnedMemory scalars;
    private final Pointer one;
    private final Pointer zero;
    private final AtomicBoolean open = new AtomicBoolean(true);

    /**
     * Opens cuBLAS for one stream.
     *
     * @param context the device's context, current on this thread
     * @param stream where products are queued
     * @param workspace device memory for cuBLAS, so that it allocates none itself
     * @param workspaceBytes its size
     */
    public Gemm(CudaContext context, CudaStream stream, DevicePointer workspace, long workspaceBytes) {
        this.context = context;
        this.scalars = new PinnedMemory(context, 2 * Float.BYTES);
        ByteBuffer values = scalars.buffer();
        values.putFloat(1).putFloat(0);
        this.one = scalars.at(0);
        this.zero = scalars.at(Float.BYTES);
        try {
            checkCublas(JCublas2.cublasCreate(handle), "cublasCreate on " + context);
        } catch (CudaException e) {
            scalars.close();
            throw e;
        }
        try {
            // The workspace belongs behind the stream: setting the stream takes the workspace back to cuBLAS's own.
            checkCublas(JCublas2.cublasSetStream(handle, new cudaStream_t(stream.handle())), "cublasSetStream");
            checkCublas(JCublas2.cublasSetWorkspace(handle, workspace, workspaceBytes), "cublasSetWorkspace");
            checkCublas(JCublas2.cublasSetMathMode(handle, cublasMath.CUBLAS_DEFAULT_MATH), "cublasSetMathMode");
            checkCublas(JCublas2.cublasSetPointerMode(handle, HOST_SCALARS), "cublasSetPointerMode");
        } catch (CudaException e) {
            close();
            throw e;
        }
    }

    /** The version of cuBLAS, 10000 * major + 100 * minor + patch. */
    public int version() {
        int[] version = new int[1];
        checkCublas(JCublas2.cublasGetVersion(handle, version), "cublasGetVersion");
        return version[0];
    }

    /**
     * y = x w^T, all of one type.
     *
     * @param type of x, w and y
     * @param x [rows, in]
     * @param w [out, in]
     * @param y [rows, out]
     */
    public void multiply(DType type, Matrix x, Matrix w, Matrix y) {
        multiply(type, x, w, type, y);
    }

    /**
     * y = x w^T.
     *
     * @param type of x and w
     * @param x [rows, in]
     * @param w [out, in]
     * @param resultType of y: the same, or fp32
     * @param y [rows, out]
     */
    public void multiply(DType type, Matrix x, Matrix w, DType resultType, Matrix y) {
        int in = x.columns();
        if (w.columns() != in || y.rows() != x.rows() || y.columns() != w.rows()) {
            throw new IllegalArgumentException("The product of " + x + " with the rows of " + w + " is no " + y + ".");
        }
        int slice = type == DType.FP32 ? FP32_SLICE : in;
        for (int from = 0; from < in; from += slice) {
            int columns = Math.min(slice, in - from);
            long skipped = (long) from * type.bytes();
            int status = JCublas2.cublasGemmEx_new(
                    handle,
                    cublasOperation.CUBLAS_OP_T,
                    cublasOperation.CUBLAS_OP_N,
                    w.rows(),
                    x.rows(),
                    columns,
                    one,
                    w.place().plus(skipped),
                    cudaType(type),
                    w.stride(),
                    x.place().plus(skipped),
                    cudaType(type),
                    x.stride(),
                    from == 0 ? zero : one,
                    y.place(),
                    cudaType(resultType),
                    y.stride(),
                    cublasComputeType.CUBLAS_COMPUTE_32F,
                    cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
            checkCublas(
                    status,
                    "cublasGemmEx of [" + x.rows() + ", " + columns + "] with [" + w.rows() + ", " + columns + "] in "
                            + type + " on " + context);
        }
    }

    private static int cudaType(DType type) {
        return switch (type) {
            case FP32 -> cudaDataType.CUDA_R_32F;
            case FP16 -> cudaDataType.CUDA_R_16F;
            case BF16 -> cudaDataType.CUDA_R_16BF;
            default -> throw new IllegalArgumentException("No matrix products in " + type + ".");
        };
    }

    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            context.makeCurrent();
            try {
                checkCublas(JCublas2.cublasDestroy(handle), "cublasDestroy on " + context);
            } finally {
                scalars.close();
            }
        }
    }
}
