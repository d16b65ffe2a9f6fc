// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.Gemm;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.spi.MemoryLedger;
import java.nio.FloatBuffer;

/** What searches and appends of a shard work with: memory as {@link ShardLayout} planned it, a stream, the kernels. */
final class ShardWorkspace implements AutoCloseable {
    private final ShardLayout layout;
    private final Resources resources = new Resources();
    private final DevicePointer base;
    private final CudaStream stream;
    private final TopkKernels kernels;
    private final Gemm gemm;
    private final StagingRing ring;

    /**
     * Allocates.
     *
     * @param reservation of {@link ShardLayout#workspacePlan()}; closed with the workspace, also if this throws
     * @throws io.embed4j.cuda.driver.CudaException if a call of the driver fails; nothing is left behind
     */
    ShardWorkspace(CudaContext context, KernelModule module, ShardLayout layout, MemoryLedger.Reservation reservation) {
        this.layout = layout;
        resources.add(reservation);
        try {
            base = resources
                    .add(new DeviceMemory(context, layout.workspaceBytes()))
                    .pointer();
            stream = resources.add(new CudaStream(context));
            kernels = resources.add(new TopkKernels(context, module, stream));
            gemm = resources.add(new Gemm(context, stream, base.plus(layout.cublas()), layout.cublasBytes()));
            ring = resources.add(new StagingRing(context, stream, base.plus(layout.slots()), layout.slotBytes()));
        } catch (RuntimeException | Error e) {
            resources.close();
            throw e;
        }
    }

    ShardLayout layout() {
        return layout;
    }

    CudaStream stream() {
        return stream;
    }

    TopkKernels kernels() {
        return kernels;
    }

    Gemm gemm() {
        return gemm;
    }

    StagingRing ring() {
        return ring;
    }

    /** A place of the layout. */
    DevicePointer at(long offset) {
        return base.plus(offset);
    }

    SearchState state() {
        return new SearchState(base.plus(layout.state()));
    }

    /** Brings fp32 numbers to where they stay. */
    void upload(DevicePointer target, FloatBuffer values) {
        FloatBuffer left = values.duplicate();
        int together = ring.slotBytes() / Float.BYTES;
        long at = 0;
        while (left.hasRemaining()) {
            int count = Math.min(together, left.remaining());
            FloatBuffer piece = left.slice(left.position(), count);
            ring.upload(
                    target.plus(at),
                    count * Float.BYTES,
                    pinned -> pinned.asFloatBuffer().put(piece));
            left.position(left.position() + count);
            at += (long) count * Float.BYTES;
        }
    }

    /** Puts vectors of the device side by side. */
    void gather(DevicePointer target, DeviceVectors from, int[] places, int dimension) {
        ring.stage(
                (1 + places.length) * Integer.BYTES,
                pinned -> pinned.asIntBuffer().put(places.length).put(places),
                staged -> kernels.gather(target, staged, from.pointer(), places.length, dimension));
    }

    /** Waits for all that is queued, whatever comes of it. */
    void settle() {
        ring.settle();
    }

    @Override
    public void close() {
        settle();
        resources.close();
    }
}
