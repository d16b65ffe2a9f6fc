// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.PinnedMemory;
import io.embed4j.spec.DType;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.VectorBlock;
import java.nio.FloatBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/** Vectors that stay on the GPU that computed them, fp32 [rows, dimension]. */
final class DeviceVectors implements VectorBlock {
    private static final int PIECE_BYTES = 4 << 20;

    private final CudaContext context;
    private final int rows;
    private final int dimension;
    private final DevicePointer pointer;
    private final Runnable release;
    private final AtomicBoolean open = new AtomicBoolean(true);

    /**
     * Vectors in memory that is theirs until they are closed.
     *
     * @param rows how many
     * @param dimension numbers of each
     * @param pointer fp32 [rows, dimension]
     * @param release gives the memory back
     */
    DeviceVectors(CudaContext context, int rows, int dimension, DevicePointer pointer, Runnable release) {
        this.context = context;
        this.rows = rows;
        this.dimension = dimension;
        this.pointer = pointer;
        this.release = release;
    }

    static long bytes(int rows, int dimension) {
        return (long) rows * dimension * Float.BYTES;
    }

    boolean isOn(CudaContext other) {
        return context.ordinal() == other.ordinal();
    }

    DevicePointer pointer() {
        return pointer;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int dimension() {
        return dimension;
    }

    @Override
    public DType type() {
        return DType.FP32;
    }

    @Override
    public DeviceId device() {
        return DeviceId.parse(context.toString());
    }

    @Override
    public void copyTo(FloatBuffer out) {
        context.makeCurrent();
        long bytes = bytes(rows, dimension);
        int together = (int) Math.max(1, Math.min(PIECE_BYTES, bytes));
        try (CudaStream stream = new CudaStream(context);
                PinnedMemory pinned = new PinnedMemory(context, together)) {
            for (long from = 0; from < bytes; from += together) {
                int piece = (int) Math.min(together, bytes - from);
                stream.download(pinned, 0, pointer.plus(from), piece);
                stream.synchronize();
                out.put(pinned.buffer().limit(piece).asFloatBuffer());
            }
        }
    }

    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            release.run();
        }
    }
}
