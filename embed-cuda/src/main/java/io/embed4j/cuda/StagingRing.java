// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaEvent;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.PinnedMemory;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Three slots of pinned memory and as many on the device, through which rows go: while one slot is worked on by kernels, the
 * next is copied, and the third is filled by this thread. Events tell when a slot may be used again, on either side.
 *
 * <p>For one thread at a time.
 */
final class StagingRing implements AutoCloseable {
    static final int SLOTS = 3;

    private static final Logger LOG = LoggerFactory.getLogger(StagingRing.class);

    private final CudaStream copies;
    private final CudaStream compute;
    private final int slotBytes;
    private final Resources resources = new Resources();
    private final Slot[] slots = new Slot[SLOTS];
    private int next;

    /**
     * A slot whose contents are on their way.
     *
     * @param pinned host side
     * @param onDevice device side
     * @param copied behind the last copy out of or into the pinned side
     * @param consumed behind the last kernel that reads the device side
     */
    private record Slot(PinnedMemory pinned, DevicePointer onDevice, CudaEvent copied, CudaEvent consumed) {}

    /**
     * Allocates the pinned side.
     *
     * @param compute the stream whose kernels read what is staged
     * @param onDevice [3, slotBytes]
     * @param slotBytes bytes of a slot
     */
    StagingRing(CudaContext context, CudaStream compute, DevicePointer onDevice, int slotBytes) {
        this.compute = compute;
        this.slotBytes = slotBytes;
        try {
            this.copies = resources.add(new CudaStream(context));
            for (int i = 0; i < SLOTS; i++) {
                slots[i] = new Slot(
                        resources.add(new PinnedMemory(context, slotBytes)),
                        onDevice.plus((long) i * slotBytes),
                        resources.add(new CudaEvent(context)),
                        resources.add(new CudaEvent(context)));
            }
        } catch (RuntimeException | Error e) {
            resources.close();
            throw e;
        }
    }

    /** Bytes that go at a time. */
    int slotBytes() {
        return slotBytes;
    }

    private Slot freeSlot() {
        Slot slot = slots[next];
        next = (next + 1) % SLOTS;
        slot.copied().synchronize();
        return slot;
    }

    /**
     * Brings bytes to a slot on the device and queues work on them. Returns before either is done.
     *
     * @param bytes how many, at most a slot's
     * @param fill writes them
     * @param work queues kernels on the compute stream that read them there
     */
    void stage(int bytes, Consumer<ByteBuffer> fill, Consumer<DevicePointer> work) {
        Slot slot = freeSlot();
        fill.accept(slot.pinned().buffer().limit(bytes));
        copies.waitFor(slot.consumed());
        copies.upload(slot.onDevice(), slot.pinned(), 0, bytes);
        slot.copied().record(copies);
        compute.waitFor(slot.copied());
        work.accept(slot.onDevice());
        slot.consumed().record(compute);
    }

    /**
     * Brings bytes to where they stay, in the order of the compute stream.
     *
     * @param target device memory
     * @param bytes how many, at most a slot's
     * @param fill writes them
     */
    void upload(DevicePointer target, int bytes, Consumer<ByteBuffer> fill) {
        Slot slot = freeSlot();
        fill.accept(slot.pinned().buffer().limit(bytes));
        compute.upload(target, slot.pinned(), 0, bytes);
        slot.copied().record(compute);
    }

    /**
     * Copies bytes to the host, behind what is queued on the compute stream, and waits.
     *
     * @param source device memory
     * @param bytes how many
     * @param read gets them, in pieces of at most a slot, in order
     */
    void download(DevicePointer source, long bytes, Consumer<ByteBuffer> read) {
        for (long from = 0; from < bytes; from += slotBytes) {
            int piece = (int) Math.min(slotBytes, bytes - from);
            Slot slot = freeSlot();
            compute.download(slot.pinned(), 0, source.plus(from), piece);
            slot.copied().record(compute);
            slot.copied().synchronize();
            read.accept(slot.pinned().buffer().limit(piece));
        }
    }

    /** Waits for all that is queued on both streams, whatever comes of it. */
    void settle() {
        for (CudaStream stream : new CudaStream[] {copies, compute}) {
            try {
                stream.synchronize();
            } catch (CudaException e) {
                LOG.debug("A stream ended with an error", e);
            }
        }
    }

    /** Closes the slots; what is queued must have ended. */
    @Override
    public void close() {
        resources.close();
    }
}
