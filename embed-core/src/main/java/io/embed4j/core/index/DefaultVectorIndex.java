// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.EmbedException;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.Hits;
import io.embed4j.IndexOptions;
import io.embed4j.VectorIndex;
import io.embed4j.VectorRows;
import io.embed4j.spi.DeviceRows;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * What users know of an index, in front of a shard that only knows rows: ids, deleted rows, unit vectors, snapshots.
 *
 * <p>Who adds or deletes holds this object's monitor and publishes a new {@link State} at the end; who searches takes the
 * state that there is, without a lock. An addition that cannot be brought to its end takes its rows back: nobody knows of them.
 */
public final class DefaultVectorIndex implements VectorIndex {
    /** Rows are read in pieces of this many numbers. */
    static final int NUMBERS_AT_A_TIME = 1 << 20;

    private final IndexShard shard;
    private final IndexOptions options;
    private final VectorCheck check;
    private final RowIds ids;
    private final Runnable release;
    private @Nullable SavedIndex saved;
    private final ReadWriteLock life = new ReentrantReadWriteLock();
    private boolean closed;
    private volatile State state;

    /**
     * The index at one moment.
     *
     * @param rows how many rows there are
     * @param labels their ids
     * @param deleted rows that are gone; not changed any more
     * @param all the others
     */
    private record State(int rows, RowIds.Labels labels, BitSet deleted, RowSelection all) {
        static State of(RowIds ids, BitSet deleted) {
            int rows = ids.rows();
            if (deleted.isEmpty()) {
                return new State(rows, ids.labels(), deleted, RowSelection.first(rows));
            }
            BitSet alive = new BitSet(rows);
            alive.set(0, rows);
            alive.andNot(deleted);
            return new State(rows, ids.labels(), deleted, RowSelection.of(rows, alive));
        }

        RowSelection selection(@Nullable BitSet filter) {
            if (filter == null) {
                return all;
            }
            BitSet selected = filter.get(0, rows);
            selected.andNot(deleted);
            return RowSelection.of(rows, selected);
        }
    }

    /**
     * Puts an index in front of a shard.
     *
     * @param shard where the rows lie; closed with the index
     * @param options similarity, kind of ids
     * @param release runs after the shard is closed
     */
    public DefaultVectorIndex(IndexShard shard, IndexOptions options, Runnable release) {
        this(shard, options, new RowIds(options.stringIds()), new BitSet(), null, release);
    }

    private DefaultVectorIndex(
            IndexShard shard,
            IndexOptions options,
            RowIds ids,
            BitSet deleted,
            @Nullable SavedIndex saved,
            Runnable release) {
        this.shard = shard;
        this.options = options;
        this.check = new VectorCheck(shard.spec().dimension(), options.similarity());
        this.ids = ids;
        this.saved = saved;
        this.release = release;
        this.state = State.of(ids, deleted);
    }

    /**
     * Fills a shard from a saved index.
     *
     * @param saved the saved index
     * @param shard an empty shard of its dimension; closed with the index
     * @param options device, storage and exactness; the rest is the saved index's
     * @param release runs after the shard is closed
     */
    public static DefaultVectorIndex load(SavedIndex saved, IndexShard shard, IndexOptions options, Runnable release) {
        IndexManifest manifest = saved.manifest();
        IndexOptions actual = options.withSimilarity(manifest.similarity()).withStringIds(manifest.stringIds());
        RowIds ids = new RowIds(manifest.stringIds());
        BitSet deleted = saved.deletedRows();
        saved.forEachSegment((vectors, labels, count) -> {
            vectors.forEach(shard::adopt);
            ids.append(labels, count, deleted);
        });
        return new DefaultVectorIndex(shard, actual, ids, deleted, saved, release);
    }

    @Override
    public synchronized void add(VectorRows rows) {
        requireIds(false, "add rows without ids to it");
        add(rows, -1, ids::appendFollowing);
    }

    @Override
    public synchronized void add(long[] newIds, VectorRows rows) {
        requireIds(false, "name rows by numbers");
        ids.requireNew(LongStream.of(newIds).boxed().toList(), state.deleted());
        add(rows, newIds.length, count -> ids.append(newIds));
    }

    @Override
    public synchronized void add(List<String> newIds, VectorRows rows) {
        requireIds(true, "name rows by strings");
        List<String> copy = List.copyOf(newIds);
        ids.requireNew(copy, state.deleted());
        add(rows, copy.size(), count -> ids.append(copy));
    }

    private void requireIds(boolean strings, String what) {
        if (ids.areStrings() != strings) {
            throw new IllegalArgumentException("This index has " + (strings ? "numbers" : "strings")
                    + " as ids; one cannot " + what + ". stringIds(" + strings + ") makes the other kind.");
        }
    }

    /** Adds all rows and makes them known, or takes back those that came before the one that failed. */
    private void add(VectorRows rows, int expected, IntConsumer appendIds) {
        reading(() -> {
            int before = shard.rows();
            Runnable forgetIds = ids.mark();
            Runnable takeBackRows = shard.mark();
            try {
                fillShard(rows);
                int count = shard.rows() - before;
                if (expected >= 0 && count != expected) {
                    throw new IllegalArgumentException("There are " + expected + " ids for " + count + " rows.");
                }
                appendIds.accept(count);
                state = State.of(ids, state.deleted());
            } catch (RuntimeException | Error e) {
                forgetIds.run();
                try {
                    takeBackRows.run();
                } catch (RuntimeException | Error later) {
                    e.addSuppressed(later);
                }
                throw e;
            }
            return null;
        });
    }

    private void fillShard(VectorRows rows) {
        requireDimension(rows, "rows");
        long[] done = {0};
        forEachPiece(rows, Integer.MAX_VALUE, "Row", (values, onDevice) -> {
            int count = values.remaining() / dimension();
            for (int row = 0; row < count; row++) {
                check.requireStorable(values.array(), row * dimension(), options.storage(), done[0] + row);
            }
            onDevice.ifPresentOrElse(shard::add, () -> shard.add(values));
            done[0] += count;
        });
    }

    private void requireDimension(VectorRows rows, String what) {
        if (rows.dimension() != dimension()) {
            throw new IllegalArgumentException("The " + what + " have " + rows.dimension()
                    + " numbers each; this index holds vectors of " + dimension() + ".");
        }
    }

    /** Takes prepared vectors, and where the same are on the device. */
    private interface PieceSink {
        void accept(FloatBuffer values, Optional<DeviceRows> onDevice);
    }

    /**
     * Reads rows to their end, and prepares them; those on a device only count if they are as they must be already.
     *
     * @param most how many rows there are, if that is known
     */
    private void forEachPiece(VectorRows rows, int most, String what, PieceSink sink) {
        long done = 0;
        if (rows instanceof EncodedRows encoded) {
            Iterator<EncodedRows.Slice> slices = encoded.slices(shard.takesFrom(encoded.device()));
            while (slices.hasNext()) {
                try (EncodedRows.Slice slice = slices.next()) {
                    boolean asTheyAre = prepare(slice.values(), what, done);
                    sink.accept(slice.values(), asTheyAre ? slice.onDevice() : Optional.empty());
                    done += slice.values().remaining() / dimension();
                }
            }
            return;
        }
        int together = Math.max(1, Math.min(most, NUMBERS_AT_A_TIME / dimension()));
        FloatBuffer buffer = FloatBuffer.allocate(together * dimension());
        while (rows.read(buffer.clear()) > 0) {
            prepare(buffer.flip(), what, done);
            sink.accept(buffer.duplicate(), Optional.empty());
            done += buffer.remaining() / dimension();
        }
    }

    /** Prepares vectors in place; tells whether all were as they must be. */
    private boolean prepare(FloatBuffer values, String what, long first) {
        boolean asTheyAre = true;
        for (int row = 0; row < values.remaining() / dimension(); row++) {
            asTheyAre &= check.prepare(values.array(), row * dimension(), what, first + row);
        }
        return asTheyAre;
    }

    @Override
    public synchronized int delete(long... gone) {
        requireIds(false, "delete rows by numbers");
        return deleteAll(LongStream.of(gone).boxed().toList());
    }

    @Override
    public synchronized int delete(List<String> gone) {
        requireIds(true, "delete rows by strings");
        return deleteAll(gone);
    }

    private int deleteAll(List<?> gone) {
        return reading(() -> {
            BitSet deleted = (BitSet) state.deleted().clone();
            int count = 0;
            for (Object id : gone) {
                int row = ids.row(id, deleted);
                if (row >= 0) {
                    deleted.set(row);
                    ids.forget(id);
                    count++;
                }
            }
            state = State.of(ids, deleted);
            return count;
        });
    }

    @Override
    public Hits search(float[][] queries, int k, @Nullable BitSet filter) {
        return search(VectorRows.of(dimension(), queries), queries.length, k, filter);
    }

    @Override
    public Hits search(Embeddings queries, int k, @Nullable BitSet filter) {
        return search(VectorRows.of(queries), queries.size(), k, filter);
    }

    @Override
    public Hits search(VectorRows queries, int k, @Nullable BitSet filter) {
        return search(queries, Integer.MAX_VALUE, k, filter);
    }

    private Hits search(VectorRows queries, int most, int k, @Nullable BitSet filter) {
        requireDimension(queries, "queries");
        return reading(() -> {
            State now = state;
            RowSelection selection = now.selection(filter);
            List<Hits> found = new ArrayList<>();
            forEachPiece(
                    queries,
                    most,
                    "Query",
                    (values, onDevice) -> found.add(
                            onDevice.isPresent()
                                    ? shard.search(onDevice.get(), k, selection)
                                    : shard.search(values, k, selection)));
            // Without queries, k is still looked at.
            return now.labels()
                    .of(found.isEmpty() ? shard.search(FloatBuffer.allocate(0), k, selection) : joined(found, k));
        });
    }

    private static Hits joined(List<Hits> parts, int k) {
        if (parts.size() == 1) {
            return parts.get(0);
        }
        int queries = parts.stream().mapToInt(Hits::queries).sum();
        long[] ids = new long[Math.multiplyExact(queries, k)];
        float[] scores = new float[ids.length];
        int at = 0;
        for (Hits part : parts) {
            for (int i = 0; i < part.queries() * k; i++) {
                ids[at] = part.id(i / k, i % k);
                scores[at++] = part.score(i / k, i % k);
            }
        }
        return new Hits(k, ids, scores);
    }

    @Override
    public synchronized BitSet rowsOf(long... wanted) {
        requireIds(false, "ask for numbers");
        return rowsOfAll(LongStream.of(wanted).boxed().toList());
    }

    @Override
    public synchronized BitSet rowsOf(List<String> wanted) {
        requireIds(true, "ask for strings");
        return rowsOfAll(wanted);
    }

    private BitSet rowsOfAll(List<?> wanted) {
        BitSet rows = new BitSet(state.rows());
        for (Object id : wanted) {
            int row = ids.row(id, state.deleted());
            if (row >= 0) {
                rows.set(row);
            }
        }
        return rows;
    }

    @Override
    public synchronized void save(Path directory) {
        saved = reading(() -> {
            State now = state;
            IndexContent content = new IndexContent(
                    dimension(),
                    options.similarity(),
                    options.stringIds(),
                    now.rows(),
                    now.labels(),
                    now.deleted(),
                    shard::read);
            return SavedIndex.save(directory, content, saved);
        });
    }

    @Override
    public int size() {
        State now = state;
        return now.rows() - now.deleted().cardinality();
    }

    @Override
    public int rows() {
        return state.rows();
    }

    @Override
    public int dimension() {
        return shard.spec().dimension();
    }

    @Override
    public IndexOptions options() {
        return options;
    }

    /** Keeps the shard open while something looks at it. */
    private <T> T reading(Supplier<T> work) {
        life.readLock().lock();
        try {
            requireOpen();
            return work.get();
        } finally {
            life.readLock().unlock();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new EmbedException(HelpTopic.INDEX_CLOSED, "The index is closed. Load it again, or make a new one.");
        }
    }

    @Override
    public void close() {
        life.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                shard.close();
                release.run();
            }
        } finally {
            life.writeLock().unlock();
        }
    }
}
