// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.spi.MemoryLedger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/**
 * The fp32 rows of a shard in host memory, appended and never moved, so that readers need no lock: a reader takes the list of
 * parts as it is when it begins. Rows that are added are copied into direct buffers, which grow from 64 KiB to 64 MiB and
 * are reserved one by one; rows that are adopted, such as those of a mapped file, stay where they are, but for small pieces,
 * of which there could be too many.
 */
public final class HostRows implements AutoCloseable {
    private static final long SMALLEST_PART_BYTES = 1 << 16;
    private static final long LARGEST_PART_BYTES = 1 << 26;
    private static final long SMALLEST_ADOPTED_BYTES = 1 << 20;

    private final int dimension;
    private final LongFunction<MemoryLedger.Reservation> reserve;
    private final List<MemoryLedger.Reservation> reservations = new ArrayList<>();
    private volatile Parts parts = new Parts(List.of(), 0);

    /** How many rows the last part has room for, if it is ours. */
    private int lastPartRoom;

    private int copiedRows;

    /**
     * Consecutive rows.
     *
     * @param firstRow the number of the first
     * @param rows how many
     * @param values [rows, D] from position 0 on; the buffer may be longer
     */
    public record Part(int firstRow, int rows, FloatBuffer values) {}

    /**
     * The rows at one moment.
     *
     * @param list in order, without gaps
     * @param rows how many there are in all
     */
    public record Parts(List<Part> list, int rows) {
        /** The part that holds a row. */
        Part of(int row) {
            int low = 0;
            int high = list.size() - 1;
            while (low < high) {
                int middle = (low + high + 1) >>> 1;
                if (list.get(middle).firstRow() <= row) {
                    low = middle;
                } else {
                    high = middle - 1;
                }
            }
            return list.get(low);
        }
    }

    /**
     * Makes an empty list.
     *
     * @param dimension D
     * @param reserve enters a number of bytes in a ledger, or refuses
     */
    public HostRows(int dimension, LongFunction<MemoryLedger.Reservation> reserve) {
        this.dimension = dimension;
        this.reserve = reserve;
    }

    /**
     * The most bytes that this many added rows take: the last part may be half empty.
     *
     * @param dimension D
     * @param rows N
     */
    public static long bytes(int dimension, int rows) {
        long needed = (long) dimension * Float.BYTES * rows;
        return needed == 0 ? 0 : needed + Math.max(SMALLEST_PART_BYTES, Math.min(needed, LARGEST_PART_BYTES));
    }

    /** D. */
    public int dimension() {
        return dimension;
    }

    /** N. */
    public int rows() {
        return parts.rows();
    }

    /** The rows as they are now. */
    public Parts parts() {
        return parts;
    }

    /**
     * Copies rows; they can be read when this returns.
     *
     * @param values [n, D] from the buffer's position to its limit
     * @throws io.embed4j.EmbedException if the ledger refuses
     */
    public synchronized void add(FloatBuffer values) {
        int count = countRows(values);
        int partsReserved = reservations.size();
        try {
            add(values.duplicate(), count);
        } catch (RuntimeException | Error e) {
            giveBack(partsReserved);
            throw e;
        }
    }

    private void giveBack(int reservationsLeft) {
        while (reservations.size() > reservationsLeft) {
            reservations.remove(reservations.size() - 1).close();
        }
    }

    private void add(FloatBuffer source, int count) {
        List<Part> list = new ArrayList<>(parts.list());
        int rows = parts.rows();
        int room = lastPartRoom;
        int left = count;
        while (left > 0) {
            if (room == 0) {
                FloatBuffer fresh = allocate(Math.max(copiedRows, left));
                room = fresh.capacity() / dimension;
                list.add(new Part(rows, 0, fresh));
            }
            Part last = list.get(list.size() - 1);
            int copied = Math.min(left, room);
            FloatBuffer piece = source.slice(source.position(), copied * dimension);
            last.values().duplicate().position(last.rows() * dimension).put(piece);
            source.position(source.position() + copied * dimension);
            list.set(list.size() - 1, new Part(last.firstRow(), last.rows() + copied, last.values()));
            rows += copied;
            room -= copied;
            left -= copied;
        }
        lastPartRoom = room;
        copiedRows += count;
        parts = new Parts(List.copyOf(list), rows);
    }

    /**
     * Takes rows where they are.
     *
     * @param values [n, D] from the buffer's position to its limit; must not change from now on
     * @throws io.embed4j.EmbedException if they are copied and the ledger refuses
     */
    public synchronized void adopt(FloatBuffer values) {
        if ((long) values.remaining() * Float.BYTES < SMALLEST_ADOPTED_BYTES) {
            add(values);
        } else {
            int count = countRows(values);
            List<Part> list = new ArrayList<>(parts.list());
            list.add(new Part(parts.rows(), count, values.slice()));
            lastPartRoom = 0;
            parts = new Parts(List.copyOf(list), parts.rows() + count);
        }
    }

    /**
     * Remembers the rows that there are.
     *
     * @return takes back all rows that came since, and their memory; see {@link io.embed4j.spi.IndexShard#mark}
     */
    public synchronized Runnable mark() {
        Parts before = parts;
        int room = lastPartRoom;
        int copied = copiedRows;
        int reserved = reservations.size();
        return () -> backTo(before, room, copied, reserved);
    }

    private synchronized void backTo(Parts before, int room, int copied, int reserved) {
        parts = before;
        lastPartRoom = room;
        copiedRows = copied;
        giveBack(reserved);
    }

    private int countRows(FloatBuffer values) {
        int count = IndexChecks.requireWholeRows(values, dimension);
        IndexChecks.requireRoom(parts.rows(), count);
        return count;
    }

    private FloatBuffer allocate(int wantedRows) {
        long rowBytes = (long) dimension * Float.BYTES;
        long wanted = wantedRows * rowBytes;
        long bytes = Math.max(SMALLEST_PART_BYTES, Math.min(wanted, LARGEST_PART_BYTES));
        bytes = Math.max(rowBytes, bytes / rowBytes * rowBytes);
        MemoryLedger.Reservation reservation = reserve.apply(bytes);
        try {
            FloatBuffer fresh = ByteBuffer.allocateDirect(Math.toIntExact(bytes))
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            reservations.add(reservation);
            return fresh;
        } catch (RuntimeException | Error e) {
            reservation.close();
            throw e;
        }
    }

    /**
     * Copies consecutive rows.
     *
     * @param firstRow the first
     * @param count how many
     * @param out gets [count, D]
     * @param from where in {@code out}
     */
    public void read(int firstRow, int count, float[] out, int from) {
        Parts now = parts;
        if (firstRow < 0 || count < 0 || count > now.rows() - firstRow) {
            throw new IndexOutOfBoundsException(
                    "Rows " + firstRow + " to " + ((long) firstRow + count) + " of " + now.rows() + ".");
        }
        int row = firstRow;
        int end = firstRow + count;
        while (row < end) {
            Part part = now.of(row);
            int within = row - part.firstRow();
            int copied = Math.min(end - row, part.rows() - within);
            part.values().get(within * dimension, out, from + (row - firstRow) * dimension, copied * dimension);
            row += copied;
        }
    }

    @Override
    public synchronized void close() {
        parts = new Parts(List.of(), 0);
        lastPartRoom = 0;
        reservations.forEach(MemoryLedger.Reservation::close);
        reservations.clear();
    }
}
