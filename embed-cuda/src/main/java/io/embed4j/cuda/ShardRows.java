// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.core.index.HostRows;
import io.embed4j.core.index.RowBounds;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.RowSelection;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.ObjIntConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The rows of a shard: the first of them in pieces on the device, and, when the device is full, the others in host memory,
 * from where each search brings them through the {@link StagingRing}. With 16-bit storage and exact results the host has all
 * rows in fp32.
 *
 * <p>What touches the device is for one thread at a time.
 */
final class ShardRows implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ShardRows.class);

    private final CudaContext context;
    private final ShardMemory memory;
    private final IndexSpec spec;
    private final HostRows host;
    private final List<CorpusPiece> pieces = new ArrayList<>();
    private int resident;
    private boolean full;

    ShardRows(CudaContext context, IndexSpec spec, ShardMemory memory) {
        this.context = context;
        this.spec = spec;
        this.memory = memory;
        this.host = new HostRows(spec.dimension(), bytes -> Unaccounted.INSTANCE);
    }

    /** Host memory has no ledger on this device; the plan of the index tells it. */
    private enum Unaccounted implements MemoryLedger.Reservation {
        INSTANCE;

        @Override
        public MemoryPlan plan() {
            return new MemoryPlan(0, 0, 0);
        }

        @Override
        public void resize(MemoryPlan plan) {}

        @Override
        public void close() {}
    }

    /** Whether the host keeps all rows in fp32. */
    static boolean keepsAllOnHost(IndexSpec spec) {
        return spec.rescoring() == IndexSpec.Rescoring.EXACT && spec.storage() != DType.FP32;
    }

    private ShardWorkspace workspace() {
        return memory.workspace();
    }

    List<CorpusPiece> pieces() {
        return List.copyOf(pieces);
    }

    /** What the pieces take. */
    long bytes() {
        return pieces.stream().mapToLong(piece -> piece.memory().bytes()).sum();
    }

    /** How many rows are on the device; the others are on the host. */
    int resident() {
        return resident;
    }

    /** fp32 rows in host memory; the first of them is {@link #firstOnHost()}. */
    HostRows host() {
        return host;
    }

    /** Number of the first row that the host has. */
    int firstOnHost() {
        return keepsAllOnHost(spec) ? 0 : resident;
    }

    /** Whether float64 scores of resident rows are computed where they are. */
    boolean rescoresOnDevice() {
        return spec.rescoring() == IndexSpec.Rescoring.EXACT && spec.storage() == DType.FP32 && resident > 0;
    }

    // ---- growing ----

    /** Room on the device behind the rows that are there. */
    private int room() {
        if (pieces.isEmpty()) {
            return 0;
        }
        CorpusPiece last = pieces.get(pieces.size() - 1);
        return last.firstRow() + last.capacity() - resident;
    }

    /**
     * Makes room on the device for rows to come, as much as there is.
     *
     * @param present rows that are there, here or on the host
     * @param count rows to come
     * @return for how many of them there is room
     */
    int reserve(int present, int count) {
        if (memory.fit(present + count, bytes())) {
            for (int number = 0; number < pieces.size(); number++) {
                enterInTable(number);
            }
        }
        while (room() < count && !full) {
            if (!grow()) {
                // Rows are in order: where one is on the host, all later ones are.
                full = true;
                LOG.info(
                        "The device has no room for all rows of an index of {} numbers a row: rows from {} on stay in"
                                + " host memory, and each search reads them from there.",
                        spec.dimension(),
                        resident + room());
            }
        }
        return Math.min(count, room());
    }

    /** Adds a piece, a smaller one than planned where the device has no more; false if there is no room for any. */
    private boolean grow() {
        ShardLayout layout = workspace().layout();
        long free = memory.ledger().freeBytes() / EncoderArena.GRANULE * EncoderArena.GRANULE;
        long bytes = Math.min(free, layout.nextPieceBytes(bytes()));
        int capacity = Math.min(layout.pieceRows(bytes), Integer.MAX_VALUE - resident - room());
        if (capacity == 0) {
            return false;
        }
        MemoryLedger.Reservation reservation = memory.ledger().reserve("index", new MemoryPlan(bytes, 0, 0));
        try {
            DeviceMemory memory = new DeviceMemory(context, bytes);
            pieces.add(new CorpusPiece(memory, reservation, resident + room(), capacity, layout.pieceFilter(capacity)));
        } catch (CudaException e) {
            reservation.close();
            if (e.isOutOfMemory()) {
                return false;
            }
            throw e;
        }
        enterInTable(pieces.size() - 1);
        return true;
    }

    private void enterInTable(int number) {
        TopkKernels.PieceTable table = pieceTable();
        CorpusPiece piece = pieces.get(number);
        workspace()
                .ring()
                .upload(
                        table.addresses().plus((long) number * Long.BYTES),
                        Long.BYTES,
                        pinned -> pinned.putLong(piece.rows().address()));
        workspace()
                .ring()
                .upload(
                        table.firstRows().plus((long) number * Integer.BYTES),
                        Integer.BYTES,
                        pinned -> pinned.putInt(piece.firstRow()));
    }

    /** Where the pieces are, for kernels. */
    TopkKernels.PieceTable pieceTable() {
        DevicePointer table = workspace().at(workspace().layout().pieceTable());
        return new TopkKernels.PieceTable(
                table, table.plus((long) ShardLayout.MAX_PIECES * Long.BYTES), pieces.size(), resident);
    }

    /** Rows that were stored are measured from here on. */
    void beginMeasuring() {
        workspace().stream().clear(workspace().at(workspace().layout().largest()), 3L * Float.BYTES);
    }

    /**
     * Waits for what was stored, and tells its bounds.
     *
     * @return empty if a number is not finite
     */
    Optional<RowBounds> measured() {
        float[] largest = new float[3];
        workspace()
                .ring()
                .download(
                        workspace().at(workspace().layout().largest()),
                        3L * Float.BYTES,
                        pinned -> pinned.asFloatBuffer().get(largest));
        return largest[2] != 0 ? Optional.empty() : Optional.of(new RowBounds(largest[0], largest[1]));
    }

    /**
     * Stores rows behind those that are there, for which room was reserved.
     *
     * @param values [n, D], at most a slot's rows
     */
    void append(FloatBuffer values) {
        stage(values, this::append);
    }

    /**
     * Stores rows that are on the device already.
     *
     * @param values fp32 [count, D]
     */
    void append(DevicePointer values, int count) {
        int done = 0;
        while (done < count) {
            CorpusPiece piece = pieceOf(resident);
            int within = resident - piece.firstRow();
            int part = Math.min(count - done, piece.capacity() - within);
            store(
                    piece.rows().plus(within * rowBytes()),
                    values.plus((long) done * spec.dimension() * Float.BYTES),
                    part);
            resident += part;
            done += part;
        }
    }

    /**
     * Measures rows that the device has no room for.
     *
     * @param values [n, D], at most a slot's rows
     */
    void measure(FloatBuffer values) {
        stage(values, this::measure);
    }

    /**
     * Measures rows that are on the device, but not to stay there.
     *
     * @param values fp32 [count, D]
     */
    void measure(DevicePointer values, int count) {
        ShardLayout layout = workspace().layout();
        for (int from = 0; from < count; from += layout.slotRows()) {
            long skipped = (long) from * spec.dimension() * Float.BYTES;
            store(workspace().at(layout.converted()), values.plus(skipped), Math.min(layout.slotRows(), count - from));
        }
    }

    /** Brings rows to the device and queues work on them there; it gets their address and how many they are. */
    private void stage(FloatBuffer values, ObjIntConsumer<DevicePointer> work) {
        int count = values.remaining() / spec.dimension();
        workspace()
                .ring()
                .stage(
                        values.remaining() * Float.BYTES,
                        pinned -> pinned.asFloatBuffer().put(values.duplicate()),
                        staged -> work.accept(staged, count));
    }

    private CorpusPiece pieceOf(int row) {
        int number = pieces.size() - 1;
        while (pieces.get(number).firstRow() > row) {
            number--;
        }
        return pieces.get(number);
    }

    private long rowBytes() {
        return (long) workspace().layout().stride() * spec.storage().bytes();
    }

    private void store(DevicePointer target, DevicePointer values, int count) {
        ShardLayout layout = workspace().layout();
        workspace()
                .kernels()
                .storeRows(
                        spec.storage(),
                        target,
                        workspace().at(layout.largest()),
                        values,
                        count,
                        spec.dimension(),
                        layout.stride());
    }

    /** Takes back rows that were appended last; their memory stays for those to come. */
    void truncate(int rows) {
        resident = rows;
    }

    /**
     * Remembers the rows that there are.
     *
     * @return takes back all rows that came since, here and on the host, with their pieces
     */
    Runnable mark() {
        int residentBefore = resident;
        boolean fullBefore = full;
        int piecesBefore = pieces.size();
        Runnable hostBefore = host.mark();
        return () -> {
            resident = residentBefore;
            full = fullBefore;
            hostBefore.run();
            List<CorpusPiece> gone = pieces.subList(piecesBefore, pieces.size());
            List<CorpusPiece> closing = List.copyOf(gone);
            gone.clear();
            closing.forEach(CorpusPiece::close);
        };
    }

    // ---- reading ----

    /** Brings rows of the host to the device and queues work on them there. */
    private void stageFromHost(int firstRow, int count, Consumer<DevicePointer> work) {
        int bytes = Math.multiplyExact(count, spec.dimension() * Float.BYTES);
        workspace().ring().stage(bytes, pinned -> readHost(firstRow, count, pinned), work);
    }

    private void readHost(int firstRow, int count, ByteBuffer pinned) {
        FloatBuffer target = pinned.asFloatBuffer();
        int row = firstRow - firstOnHost();
        int end = row + count;
        for (HostRows.Part part : host.parts().list()) {
            int from = Math.max(row, part.firstRow());
            int to = Math.min(end, part.firstRow() + part.rows());
            if (from < to) {
                int skipped = (from - part.firstRow()) * spec.dimension();
                target.put(part.values().slice(skipped, (to - from) * spec.dimension()));
            }
        }
    }

    /**
     * Brings rows of the host to the device for a launch of a search.
     *
     * @param firstRow the first, a multiple of 32
     * @param count at most a slot's
     * @param selection rows that may be found
     * @param search queues its launches
     */
    void stage(int firstRow, int count, RowSelection selection, Consumer<TopkKernels.Rows> search) {
        ShardLayout layout = workspace().layout();
        DevicePointer filter = workspace().at(layout.convertedFilter());
        stageFromHost(firstRow, count, staged -> {
            store(workspace().at(layout.converted()), staged, count);
            if (!selection.isAll()) {
                uploadFilter(filter, selection, firstRow, count);
            }
            search.accept(new TopkKernels.Rows(
                    workspace().at(layout.converted()), firstRow, count, selection.isAll() ? null : filter));
        });
    }

    /** Brings the selection's bits to the pieces. */
    void uploadFilter(RowSelection selection) {
        if (selection.isAll()) {
            return;
        }
        for (CorpusPiece piece : pieces) {
            int visible = Math.min(piece.capacity(), selection.rows() - piece.firstRow());
            if (visible > 0) {
                uploadFilter(piece.filter(), selection, piece.firstRow(), visible);
            }
        }
    }

    private void uploadFilter(DevicePointer target, RowSelection selection, int firstRow, int count) {
        int words = Math.toIntExact(ShardLayout.filterBytes(count) / Integer.BYTES);
        int together = workspace().ring().slotBytes() / Integer.BYTES;
        for (int from = 0; from < words; from += together) {
            int part = Math.min(together, words - from);
            int firstWord = firstRow / Integer.SIZE + from;
            workspace().ring().upload(target.plus((long) from * Integer.BYTES), part * Integer.BYTES, pinned -> {
                for (int i = 0; i < part; i++) {
                    long both = selection.word((firstWord + i) / 2);
                    pinned.putInt(i * Integer.BYTES, (int) ((firstWord + i) % 2 == 0 ? both : both >>> Integer.SIZE));
                }
            });
        }
    }

    /**
     * Copies rows to the host: as they were added, where they are kept so, else as they are stored.
     *
     * @param firstRow the first
     * @param count how many
     * @param out gets [count, D] from place 0 on
     */
    void read(int firstRow, int count, float[] out) {
        int row = firstRow;
        int end = firstRow + count;
        while (row < end) {
            int at = (row - firstRow) * spec.dimension();
            if (row >= firstOnHost()) {
                host.read(row - firstOnHost(), end - row, out, at);
                return;
            }
            CorpusPiece piece = pieceOf(row);
            int within = row - piece.firstRow();
            int part = Math.min(
                    Math.min(end, resident) - row,
                    Math.min(piece.capacity() - within, workspace().layout().slotRows()));
            readFromDevice(piece.rows().plus(within * rowBytes()), part, out, at);
            row += part;
        }
    }

    private void readFromDevice(DevicePointer rows, int count, float[] out, int at) {
        ShardLayout layout = workspace().layout();
        DevicePointer values = workspace().at(layout.slots());
        DevicePointer counter = workspace().state().at(SearchState.COLLECTED);
        // Nothing is on its way through the slots: each user of the ring waits for what it has queued.
        workspace().stream().synchronize();
        workspace().ring().upload(counter, Integer.BYTES, pinned -> pinned.putInt(count));
        workspace().kernels().readRows(spec.storage(), values, counter, rows, count, spec.dimension(), layout.stride());
        int[] place = {at};
        workspace().ring().download(values, (long) count * spec.dimension() * Float.BYTES, pinned -> {
            int part = pinned.remaining() / Float.BYTES;
            pinned.asFloatBuffer().get(out, place[0], part);
            place[0] += part;
        });
    }

    @Override
    public void close() {
        pieces.forEach(CorpusPiece::close);
        pieces.clear();
        host.close();
    }
}
