// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.Hits;
import io.embed4j.core.index.IndexChecks;
import io.embed4j.core.index.RowBounds;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceRows;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Exact top-k on one GPU: how rows come, are published and go. How they are found is in {@link ShardSearch}.
 *
 * <p>Searches and appends take turns on the device; what follows on the host runs beside the next search. A row counts when
 * it is stored, measured and published, so that a search sees whole appends only.
 */
final class CudaIndexShard implements IndexShard {
    private final CudaContext context;
    private final IndexSpec spec;
    private final ShardMemory memory;
    private final ShardRows rows;

    private final ExclusiveDevice device;

    /** Read by all calls, written by close, which so waits for them. */
    private final ReentrantReadWriteLock life = new ReentrantReadWriteLock();

    private final Object appending = new Object();
    private volatile Published published = new Published(0, RowBounds.NONE);
    private boolean closed;

    /**
     * What searches may see.
     *
     * @param rows N
     * @param bounds of all these rows
     */
    private record Published(int rows, RowBounds bounds) {}

    CudaIndexShard(CudaContext context, IndexSpec spec, ShardMemory memory) {
        this.context = context;
        this.spec = spec;
        this.memory = memory;
        this.rows = new ShardRows(context, spec, memory);
        this.device = new ExclusiveDevice(context, memory::settle);
    }

    @Override
    public IndexSpec spec() {
        return spec;
    }

    @Override
    public int rows() {
        return published.rows();
    }

    // ---- calls ----

    /** Runs a call between opening and closing. */
    private <T> T whileOpen(Supplier<T> call) {
        life.readLock().lock();
        try {
            if (closed) {
                throw new IllegalStateException("This index shard is closed.");
            }
            return call.get();
        } finally {
            life.readLock().unlock();
        }
    }

    // ---- appending ----

    @Override
    public void add(FloatBuffer values) {
        append(values, false);
    }

    @Override
    public void adopt(FloatBuffer values) {
        append(values, true);
    }

    private void append(FloatBuffer values, boolean stays) {
        int count = IndexChecks.requireWholeRows(values, spec.dimension());
        append(
                count,
                fitting -> {
                    int together = memory.layout().slotRows();
                    for (int from = 0, to; from < count; from = to) {
                        to = Math.min(from + together, from < fitting ? fitting : count);
                        FloatBuffer slice = rowsOf(values, from, to - from);
                        boolean resident = to <= fitting;
                        // Searches get their turn between slices.
                        device.run(() -> storeOrMeasure(slice, resident));
                    }
                },
                onHost -> {
                    FloatBuffer forHost = rowsOf(values, count - onHost, onHost);
                    if (stays) {
                        rows.host().adopt(forHost);
                    } else {
                        rows.host().add(forHost);
                    }
                });
    }

    private void storeOrMeasure(FloatBuffer slice, boolean resident) {
        if (resident) {
            rows.append(slice);
        } else {
            rows.measure(slice);
        }
    }

    private FloatBuffer rowsOf(FloatBuffer values, int first, int count) {
        return values.slice(values.position() + first * spec.dimension(), count * spec.dimension());
    }

    @Override
    public boolean takesFrom(DeviceId other) {
        return DeviceId.parse(context.toString()).equals(other) && TopkKernels.canGather(spec.dimension());
    }

    @Override
    public void add(DeviceRows given) {
        DeviceVectors there = here(given);
        if (there == null) {
            add(given.values());
            return;
        }
        int count = given.rows();
        append(
                count,
                fitting -> device.run(() -> {
                    for (int from = 0, to; from < count; from = to) {
                        to = Math.min(from + ShardLayout.MAX_QUERIES, from < fitting ? fitting : count);
                        DevicePointer gathered = gathered(there, Arrays.copyOfRange(given.places(), from, to));
                        if (to <= fitting) {
                            rows.append(gathered, to - from);
                        } else {
                            rows.measure(gathered, to - from);
                        }
                    }
                }),
                onHost -> rows.host().add(rowsOf(given.values(), count - onHost, onHost)));
    }

    /** The vectors on this device; null if they are on another, or this one cannot take them. */
    private @Nullable DeviceVectors here(DeviceRows given) {
        if (given.block().dimension() != spec.dimension()) {
            throw new IllegalArgumentException("Vectors of " + given.block().dimension()
                    + " numbers do not go with an index of vectors of " + spec.dimension() + ".");
        }
        return takesFrom(given.block().device()) && given.block() instanceof DeviceVectors vectors ? vectors : null;
    }

    /** Vectors side by side, at most {@link ShardLayout#MAX_QUERIES}, where queries have their place. */
    private DevicePointer gathered(DeviceVectors from, int[] places) {
        ShardWorkspace workspace = memory.workspace();
        DevicePointer target = workspace.at(workspace.layout().givenQueries());
        workspace.gather(target, from, places, spec.dimension());
        return target;
    }

    /** Makes room for rows to come; tells for how many of them there is room on the device. */
    private int reserve(int count) {
        return device.get(() -> {
            int fitting = rows.reserve(published.rows(), count);
            rows.beginMeasuring();
            return fitting;
        });
    }

    /**
     * Stores rows, and publishes them or takes them back.
     *
     * @param count how many
     * @param store stores the first rows on the device, as many as it is told, and measures the others
     * @param keep adds the last rows to those of the host, as many as it is told
     */
    private void append(int count, IntConsumer store, IntConsumer keep) {
        whileOpen(() -> {
            synchronized (appending) {
                Published before = published;
                if (count > Integer.MAX_VALUE - before.rows()) {
                    throw new IllegalArgumentException("A shard holds at most " + Integer.MAX_VALUE + " rows; it has "
                            + before.rows() + ", and " + count + " more were to be added.");
                }
                int resident = rows.resident();
                boolean done = false;
                try {
                    int fitting = reserve(count);
                    store.accept(fitting);
                    RowBounds bounds = device.get(rows::measured)
                            .orElseThrow(() -> new IllegalArgumentException("One of " + count
                                    + " rows to be added holds NaN or infinity; none of them was added."));
                    int onHost = ShardRows.keepsAllOnHost(spec) ? count : count - fitting;
                    if (onHost > 0) {
                        keep.accept(onHost);
                    }
                    published =
                            new Published(before.rows() + count, before.bounds().and(bounds));
                    done = true;
                } finally {
                    if (!done) {
                        rows.truncate(resident);
                    }
                }
                return before;
            }
        });
    }

    @Override
    public Runnable mark() {
        return whileOpen(() -> {
            synchronized (appending) {
                Published before = published;
                Runnable there = rows.mark();
                return () -> backTo(before, there);
            }
        });
    }

    private void backTo(Published before, Runnable takeBack) {
        whileOpen(() -> {
            synchronized (appending) {
                published = before;
                device.run(takeBack);
            }
            return before;
        });
    }

    // ---- searching ----

    @Override
    public Hits search(FloatBuffer queries, int k, RowSelection selection) {
        return whileOpen(() -> search(queries, null, new int[0], k, selection));
    }

    @Override
    public Hits search(DeviceRows queries, int k, RowSelection selection) {
        DeviceVectors there = here(queries);
        return whileOpen(() -> search(queries.values(), there, queries.places(), k, selection));
    }

    private Hits search(
            FloatBuffer queries, @Nullable DeviceVectors there, int[] places, int k, RowSelection selection) {
        Published now = published;
        IndexChecks.requireSearch(queries, spec.dimension(), k, selection, now.rows());
        return new ShardSearch(device, memory, rows, spec, now.bounds(), k, selection).search(queries, there, places);
    }

    @Override
    public float[] read(int firstRow, int count) {
        int present = published.rows();
        if (firstRow < 0 || count < 0 || count > present - firstRow) {
            throw new IndexOutOfBoundsException(
                    "Rows " + firstRow + " to " + ((long) firstRow + count) + " of " + present + ".");
        }
        float[] values = new float[Math.multiplyExact(count, spec.dimension())];
        return whileOpen(() -> device.get(() -> {
            rows.read(firstRow, count, values);
            return values;
        }));
    }

    @Override
    public void close() {
        life.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                context.makeCurrent();
                memory.settle();
                rows.close();
                memory.close();
            }
        } finally {
            life.writeLock().unlock();
        }
    }
}
