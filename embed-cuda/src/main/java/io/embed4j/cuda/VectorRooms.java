// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.VectorBlock;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Memory for vectors that stay on the device. Allocating and freeing would each cost more than the vectors of a query are worth,
 * so a few rooms that were given back are kept for the next.
 */
final class VectorRooms implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VectorRooms.class);
    private static final int SPARE_ROOMS = 4;

    private final CudaContext context;
    private final MemoryLedger ledger;
    private final Deque<Room> spare = new ArrayDeque<>();
    private boolean closed;

    /** An allocation, and its entry in the ledger. */
    private record Room(DeviceMemory memory, MemoryLedger.Reservation reservation) {
        /** Whatever happens: of a device that is lost nothing can be given back, and that is said before. */
        void free() {
            try {
                memory.close();
            } catch (CudaException e) {
                LOG.debug("Memory for vectors could not be freed", e);
            } finally {
                reservation.close();
            }
        }
    }

    VectorRooms(CudaContext context, MemoryLedger ledger) {
        this.context = context;
        this.ledger = ledger;
    }

    /**
     * Makes room.
     *
     * @return fp32 [rows, dimension]; empty if the device has none left
     */
    synchronized Optional<VectorBlock> make(int rows, int dimension) {
        if (closed) {
            return Optional.empty();
        }
        long bytes = ArenaLayout.roundUp(Math.max(1, DeviceVectors.bytes(rows, dimension)), EncoderArena.GRANULE);
        return spare(bytes)
                .or(() -> allocate(bytes))
                .map(room -> new DeviceVectors(
                        context, rows, dimension, room.memory().pointer(), () -> giveBack(room)));
    }

    private Optional<Room> spare(long bytes) {
        for (Iterator<Room> rooms = spare.iterator(); rooms.hasNext(); ) {
            Room room = rooms.next();
            if (room.memory().bytes() >= bytes) {
                rooms.remove();
                return Optional.of(room);
            }
        }
        return Optional.empty();
    }

    private Optional<Room> allocate(long bytes) {
        context.makeCurrent();
        MemoryLedger.Reservation reservation;
        try {
            reservation = ledger.reserve("vectors", new MemoryPlan(0, bytes, 0));
        } catch (EmbedException e) {
            if (e.helpTopic() == HelpTopic.OUT_OF_DEVICE_MEMORY) {
                return Optional.empty();
            }
            throw e;
        }
        try {
            return Optional.of(new Room(new DeviceMemory(context, bytes), reservation));
        } catch (RuntimeException | Error e) {
            reservation.close();
            if (e instanceof CudaException failure && failure.isOutOfMemory()) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private void giveBack(Room room) {
        synchronized (this) {
            if (!closed && spare.size() < SPARE_ROOMS) {
                spare.push(room);
                return;
            }
        }
        room.free();
    }

    /** Frees what is spare; rooms that are in use are freed when they are given back. */
    @Override
    public synchronized void close() {
        closed = true;
        spare.forEach(Room::free);
        spare.clear();
    }
}
