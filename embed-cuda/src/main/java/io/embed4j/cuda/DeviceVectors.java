// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.PinnedMemory;
import io.embed4j.spec.DType;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.VectorBlock;
import java.nio.FloatBuffer;

/** Vectors that stay on the GPU that computed them, fp32 [rows, dimension], in memory of their own. */
final class DeviceVectors implements VectorBlock {
    private static final int PIECE_BYTES = 4 << 20;

    private final CudaContext context;
    private final int rows;
    private final int dimension;
    private final DeviceMemory memory;
    private final MemoryLedger.Reservation reservation;

    private DeviceVectors(
            CudaContext context, int rows, int dimension, DeviceMemory memory, MemoryLedger.Reservation reservation) {
        this.context = context;
        this.rows = rows;
        this.dimension = dimension;
        this.memory = memory;
        this.reservation = reservation;
    }

    /**
     * Makes room for vectors. What computes them has ended before anybody gets to see them.
     *
     * @param ledger where the memory is entered
     * @param rows how many
     * @param dimension numbers of each
     * @throws io.embed4j.EmbedException if there is no room
     */
    static DeviceVectors allocate(CudaContext context, MemoryLedger ledger, int rows, int dimension) {
        long bytes = ArenaLayout.roundUp(Math.max(1, (long) rows * dimension * Float.BYTES), EncoderArena.GRANULE);
        MemoryLedger.Reservation reservation = ledger.reserve("vectors", new MemoryPlan(0, bytes, 0));
        try {
            return new DeviceVectors(context, rows, dimension, new DeviceMemory(context, bytes), reservation);
        } catch (RuntimeException | Error e) {
            reservation.close();
            throw e;
        }
    }

    boolean isOn(CudaContext other) {
        return context.ordinal() == other.ordinal();
    }

    DevicePointer pointer() {
        return memory.pointer();
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
        long bytes = (long) rows * dimension * Float.BYTES;
        int together = (int) Math.max(1, Math.min(PIECE_BYTES, bytes));
        try (CudaStream stream = new CudaStream(context);
                PinnedMemory pinned = new PinnedMemory(context, together)) {
            for (long from = 0; from < bytes; from += together) {
                int piece = (int) Math.min(together, bytes - from);
                stream.download(pinned, 0, memory.pointer().plus(from), piece);
                stream.synchronize();
                out.put(pinned.buffer().limit(piece).asFloatBuffer());
            }
        }
    }

    @Override
    public void close() {
        try {
            memory.close();
        } finally {
            reservation.close();
        }
    }
}
