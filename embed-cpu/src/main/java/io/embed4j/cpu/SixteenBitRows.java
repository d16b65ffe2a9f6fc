// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.core.math.SixteenBits;
import io.embed4j.spec.DType;
import io.embed4j.spi.MemoryLedger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Rows rounded to fp16 or bf16 in direct buffers, appended and never moved. Each buffer is as large as all before it, from 64
 * KiB to 64 MiB. A reader looks at rows that it knows to be there.
 */
final class SixteenBitRows implements AutoCloseable {
    private static final long SMALLEST_PART_BYTES = 1 << 16;
    private static final long LARGEST_PART_BYTES = 1 << 26;

    private final int dimension;
    private final DType type;
    private final LongFunction<MemoryLedger.Reservation> reserve;
    private final List<MemoryLedger.Reservation> reservations = new ArrayList<>();
    private volatile List<Part> parts = List.of();

    /**
     * A buffer.
     *
     * @param firstRow the number of its first row
     * @param capacity how many rows it has room for
     * @param bytes [capacity, D] numbers of two bytes
     */
    record Part(int firstRow, int capacity, ByteBuffer bytes) {}

    SixteenBitRows(int dimension, DType type, LongFunction<MemoryLedger.Reservation> reserve) {
        this.dimension = dimension;
        this.type = type;
        this.reserve = reserve;
    }

    /** The most bytes that this many rows take: the last part may be half empty. */
    static long bytes(int dimension, int rows) {
        long needed = (long) dimension * Short.BYTES * rows;
        return needed == 0 ? 0 : needed + Math.max(SMALLEST_PART_BYTES, Math.min(needed, LARGEST_PART_BYTES));
    }

    /** The buffers as they are now. */
    List<Part> parts() {
        return parts;
    }

    /**
     * Makes room.
     *
     * @param rows how many rows there will be in all
     * @throws io.embed4j.EmbedException if the ledger refuses
     */
    void reserve(int rows) {
        int partsReserved = reservations.size();
        List<Part> list = new ArrayList<>(parts);
        int capacity = list.isEmpty() ? 0 : end(list.get(list.size() - 1));
        try {
            while (capacity < rows) {
                Part fresh = allocate(capacity, Math.max(capacity, rows - capacity));
                list.add(fresh);
                capacity = end(fresh);
            }
        } catch (RuntimeException | Error e) {
            giveBack(partsReserved);
            throw e;
        }
        parts = List.copyOf(list);
    }

    private void giveBack(int reservationsLeft) {
        while (reservations.size() > reservationsLeft) {
            reservations.remove(reservations.size() - 1).close();
        }
    }

    /**
     * Remembers the room that there is.
     *
     * @return gives back what was reserved since
     */
    Runnable mark() {
        List<Part> before = parts;
        int reserved = reservations.size();
        return () -> {
            parts = before;
            giveBack(reserved);
        };
    }

    private static int end(Part part) {
        return part.firstRow() + part.capacity();
    }

    private Part allocate(int firstRow, int wantedRows) {
        long rowBytes = (long) dimension * Short.BYTES;
        long bytes = Math.max(SMALLEST_PART_BYTES, Math.min(wantedRows * rowBytes, LARGEST_PART_BYTES));
        int capacity = (int) Math.min(Integer.MAX_VALUE - firstRow, Math.max(1, bytes / rowBytes));
        reservations.add(reserve.apply(capacity * rowBytes));
        ByteBuffer fresh = ByteBuffer.allocateDirect(Math.toIntExact(capacity * rowBytes));
        return new Part(firstRow, capacity, fresh.order(ByteOrder.nativeOrder()));
    }

    /**
     * Rounds a row into its place, for which there is room. Rows may be set by several threads at a time.
     *
     * @param row its number
     * @param values [D]
     */
    void set(int row, float[] values) {
        Part part = part(row);
        int at = (row - part.firstRow()) * dimension * Short.BYTES;
        for (int i = 0; i < dimension; i++) {
            float value = values[i];
            short bits = type == DType.FP16 ? SixteenBits.floatToHalf(value) : SixteenBits.floatToBfloat(value);
            part.bytes().putShort(at + i * Short.BYTES, bits);
        }
    }

    /** Copies a row as fp32. */
    void read(int row, float[] out, int from) {
        Part part = part(row);
        int at = (row - part.firstRow()) * dimension * Short.BYTES;
        for (int i = 0; i < dimension; i++) {
            short bits = part.bytes().getShort(at + i * Short.BYTES);
            out[from + i] = type == DType.FP16 ? SixteenBits.halfToFloat(bits) : SixteenBits.bfloatToFloat(bits);
        }
    }

    private Part part(int row) {
        List<Part> now = parts;
        int at = now.size() - 1;
        while (now.get(at).firstRow() > row) {
            at--;
        }
        return now.get(at);
    }

    @Override
    public void close() {
        parts = List.of();
        reservations.forEach(MemoryLedger.Reservation::close);
        reservations.clear();
    }
}
