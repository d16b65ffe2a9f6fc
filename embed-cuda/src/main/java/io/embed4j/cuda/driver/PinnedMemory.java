// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * Page-locked host memory: what the device copies from and to without stopping the CPU. Its address does not change, so
 * native code may hold on to it, which Java arrays would pay for with a stopped garbage collector.
 */
public final class PinnedMemory implements AutoCloseable {
    private final CudaContext context;
    private final Address address = new Address();
    private final ByteBuffer buffer;
    private final AtomicBoolean open = new AtomicBoolean(true);

    /** JCuda keeps addresses to itself and its subclasses. */
    private static final class Address extends Pointer {
        Address() {}

        private Address(Address base, long byteOffset) {
            super(base, byteOffset);
        }

        Address plus(long bytes) {
            return new Address(this, bytes);
        }

        long value() {
            return getNativePointer() + getByteOffset();
        }
    }

    /**
     * Allocates.
     *
     * @param context a context, current on this thread
     * @param bytes how many, at least 1
     * @throws CudaException if the host has no room
     */
    public PinnedMemory(CudaContext context, int bytes) {
        this.context = context;
        check(
                JCudaDriver.cuMemHostAlloc(address, bytes, JCudaDriver.CU_MEMHOSTALLOC_PORTABLE),
                "cuMemHostAlloc of " + bytes + " bytes for " + context);
        this.buffer = address.getByteBuffer(0, bytes).order(ByteOrder.nativeOrder());
    }

    /** All of it, in the machine's byte order, with a position and limit of its own. */
    public ByteBuffer buffer() {
        return buffer.duplicate().order(ByteOrder.nativeOrder());
    }

    /**
     * Where a byte lies, for calls of the driver.
     *
     * @param offset which byte
     */
    public Pointer at(long offset) {
        return address.plus(offset);
    }

    /** The address as a number. */
    long address() {
        return address.value();
    }

    /** Frees the memory. Copies that use it must have ended, and nobody may touch its buffers any more. */
    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            context.makeCurrent();
            check(JCudaDriver.cuMemFreeHost(address), "cuMemFreeHost for " + context);
        }
    }
}
