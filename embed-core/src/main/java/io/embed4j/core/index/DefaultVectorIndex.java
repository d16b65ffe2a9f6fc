// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.EmbedException;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.Hits;
import io.embed4j.IndexOptions;
import io.embed4j.VectorIndex;
import io.embed4j.VectorRows;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
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
 * state that there is, without a lock. Rows that an addition could not bring to its end are in the shard and stay dead.
 */
public final class DefaultVectorIndex implements VectorIndex {
    private static final int NUMBERS_AT_A_TIME = 1 << 20;

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

    /** Adds all rows and makes them known, or buries those that came before the one that failed. */
    private void add(VectorRows rows, int expected, IntConsumer appendIds) {
        reading(() -> {
            int before = shard.rows();
            try {
                fillShard(rows);
                int count = shard.rows() - before;
                if (expected >= 0 && count != expected) {
                    throw new IllegalArgumentException("There are " + expected + " ids for " + count + " rows.");
                }
                appendIds.accept(count);
                state = State.of(ids, state.deleted());
            } finally {
                int dead = shard.rows() - ids.rows();
                if (dead > 0) {
                    BitSet deleted = (BitSet) state.deleted().clone();
                    deleted.set(ids.rows(), ids.rows() + dead);
                    ids.appendDead(dead);
                    state = State.of(ids, deleted);
                }
            }
            return null;
        });
    }

    private void fillShard(VectorRows rows) {
        int dimension = dimension();
        if (rows.dimension() != dimension) {
            throw new IllegalArgumentException("The rows have " + rows.dimension()
                    + " numbers each; this index holds vectors of " + dimension + ".");
        }
        float[] values = new float[Math.max(1, NUMBERS_AT_A_TIME / dimension) * dimension];
        FloatBuffer buffer = FloatBuffer.wrap(values);
        long done = 0;
        int count = rows.read(buffer);
        while (count > 0) {
            for (int row = 0; row < count; row++) {
                check.prepare(values, row * dimension, "Row", done + row);
                check.requireStorable(values, row * dimension, options.storage(), done + row);
            }
            shard.add(FloatBuffer.wrap(values, 0, count * dimension));
            done += count;
            count = rows.read(buffer.clear());
        }
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

    private Hits search(VectorRows queries, int count, int k, @Nullable BitSet filter) {
        if (queries.dimension() != dimension()) {
            throw new IllegalArgumentException("The queries have " + queries.dimension()
                    + " numbers each; this index holds vectors of " + dimension() + ".");
        }
        float[] values = new float[Math.multiplyExact(count, dimension())];
        queries.read(FloatBuffer.wrap(values));
        for (int query = 0; query < count; query++) {
            check.prepare(values, query * dimension(), "Query", query);
        }
        return reading(() -> {
            State now = state;
            return now.labels().of(shard.search(FloatBuffer.wrap(values), k, now.selection(filter)));
        });
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
