// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.EmbedException;
import io.embed4j.Hits;
import io.embed4j.core.index.BestRows;
import io.embed4j.core.index.ExactRescorer;
import io.embed4j.core.index.IndexChecks;
import io.embed4j.core.index.RowBounds;
import io.embed4j.core.index.ScoreMargin;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceRows;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Exact top-k on one GPU.
 *
 * <p>The idea: {@link CandidateSearch} finds on the device, with the error of fp32 sums and of the storage, all rows that
 * can be among the best k; the exact scores of these few decide. fp32 rows are scored again on the device, by the same
 * float64 sums in the same order as on the host, and rows that are stored in 16 bits from the fp32 rows that the host keeps.
 * A query with more candidates than its list holds is searched again more carefully, then alone, with all the room there
 * is; if that is not enough, every selected row is scored.
 *
 * <p>Searches and appends take turns on the device; what follows on the host runs beside the next search. A row counts when
 * it is stored, measured and published, so that a search sees whole appends only.
 */
final class CudaIndexShard implements IndexShard {
    private final CudaContext context;
    private final IndexSpec spec;
    private final ShardMemory memory;
    private final ShardRows rows;

    /** Whoever uses the device has it. Fair, so that appends and searches alternate. */
    private final ReentrantLock device = new ReentrantLock(true);

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

    /** As below, for work without a result. */
    private void onDevice(Runnable work) {
        onDevice(() -> {
            work.run();
            return spec;
        });
    }

    /** Runs work on the device, alone; afterwards nothing of it is under way, whatever became of it. */
    private <T> T onDevice(Supplier<T> work) {
        device.lock();
        try {
            context.makeCurrent();
            boolean done = false;
            try {
                T result = work.get();
                done = true;
                return result;
            } finally {
                if (!done) {
                    memory.settle();
                }
            }
        } catch (CudaException e) {
            if (e.isSticky()) {
                throw new EmbedException(
                        context + " was lost while an index was used on it: " + e.getMessage()
                                + " Close this index and build it anew; if that fails too, restart the process.",
                        e);
            }
            throw e;
        } finally {
            device.unlock();
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
                        onDevice(() -> storeOrMeasure(slice, resident));
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
                fitting -> onDevice(() -> {
                    for (int from = 0, to; from < count; from = to) {
                        to = Math.min(from + ShardLayout.MAX_QUERIES, from < fitting ? fitting : count);
                        DevicePointer gathered = gather(there, Arrays.copyOfRange(given.places(), from, to));
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

    /** Puts vectors side by side, at most 512, where queries have their place. */
    private DevicePointer gather(DeviceVectors from, int[] places) {
        ShardWorkspace workspace = memory.workspace();
        DevicePointer target = workspace.at(workspace.layout().givenQueries());
        workspace
                .ring()
                .stage(
                        (1 + places.length) * Integer.BYTES,
                        pinned -> pinned.asIntBuffer().put(places.length).put(places),
                        staged -> workspace
                                .kernels()
                                .gather(target, staged, from.pointer(), places.length, spec.dimension()));
        return target;
    }

    /** Makes room for rows to come; tells for how many of them there is room on the device. */
    private int reserve(int count) {
        return onDevice(() -> {
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
                    RowBounds bounds = onDevice(rows::measured)
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
                onDevice(takeBack);
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

    /**
     * Queries that are searched together.
     *
     * @param values fp32 [Q, D]
     * @param there where they are on the device; null if they are not
     * @param places [Q] which row there each of them is
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Queries(float[] values, @Nullable DeviceVectors there, int[] places) {
        Queries only(int dimension, int... which) {
            float[] some = new float[which.length * dimension];
            for (int i = 0; i < which.length; i++) {
                System.arraycopy(values, which[i] * dimension, some, i * dimension, dimension);
            }
            int[] theirs = there == null
                    ? places
                    : IntStream.of(which).map(q -> places[q]).toArray();
            return new Queries(some, there, theirs);
        }
    }

    private Hits search(
            FloatBuffer queries, @Nullable DeviceVectors there, int[] places, int k, RowSelection selection) {
        Published now = published;
        int count = IndexChecks.requireSearch(queries, spec.dimension(), k, selection, now.rows());
        long[] ids = new long[IndexChecks.results(count, k)];
        float[] scores = new float[ids.length];
        int together = CandidateSearch.queriesTogether(memory.layout(), k);
        for (int first = 0; first < count; first += together) {
            int group = Math.min(together, count - first);
            float[] values = new float[group * spec.dimension()];
            queries.get(queries.position() + first * spec.dimension(), values);
            double[] margins = margins(values, group, now.bounds());
            int firstOfGroup = first;
            int[] placesOfGroup = there == null ? places : Arrays.copyOfRange(places, first, first + group);
            List<Optional<CandidateSearch.Found>> found =
                    onDevice(() -> find(new Queries(values, there, placesOfGroup), margins, k, selection));
            IntStream.range(0, group)
                    .parallel()
                    .filter(q -> found.get(q).isPresent())
                    .forEach(q -> best(values, q, found.get(q).orElseThrow(), k)
                            .drainTo(ids, scores, (firstOfGroup + q) * k));
            int[] lost = IntStream.range(0, group)
                    .filter(q -> found.get(q).isEmpty())
                    .toArray();
            List<BestRows> best = scan(values, lost, k, selection);
            for (int i = 0; i < lost.length; i++) {
                best.get(i).drainTo(ids, scores, (firstOfGroup + lost[i]) * k);
            }
        }
        return new Hits(k, ids, scores);
    }

    /** How far each query's scores may be from the truth; 0 where the scan's scores are what is wanted. */
    private double[] margins(float[] queries, int count, RowBounds bounds) {
        double unit = TopkKernels.onTensorCores(spec.storage()) ? ScoreMargin.TENSOR_CORES : ScoreMargin.FP32_ROUNDING;
        ScoreMargin margin = new ScoreMargin(spec.dimension(), unit);
        double[] margins = new double[count];
        IntStream.range(0, count).parallel().forEach(q -> {
            RowBounds query = RowBounds.of(queries, q * spec.dimension(), spec.dimension(), spec.storage());
            double proven = margin.of(query, bounds);
            margins[q] = spec.rescoring() == IndexSpec.Rescoring.EXACT || Double.isInfinite(proven) ? proven : 0;
        });
        return margins;
    }

    /** Brings queries to their place on the device, and stores them as rows are stored. */
    private void placeQueries(Queries queries) {
        ShardWorkspace workspace = memory.workspace();
        ShardLayout layout = workspace.layout();
        DevicePointer given = workspace.at(layout.givenQueries());
        if (queries.there() == null) {
            workspace.upload(given, FloatBuffer.wrap(queries.values()));
        } else {
            gather(queries.there(), queries.places());
        }
        workspace
                .kernels()
                .storeRows(
                        spec.storage(),
                        workspace.at(layout.storedQueries()),
                        workspace.at(layout.queryMeasures()),
                        given,
                        queries.values().length / spec.dimension(),
                        spec.dimension(),
                        layout.stride());
    }

    /** Searches: eagerly, then carefully for those that had too short a list, then alone. */
    private List<Optional<CandidateSearch.Found>> find(
            Queries queries, double[] margins, int k, RowSelection selection) {
        placeQueries(queries);
        rows.uploadFilter(selection);
        CandidateSearch search = new CandidateSearch(memory.workspace(), rows, selection, k);
        List<Optional<CandidateSearch.Found>> found = new ArrayList<>(search.find(margins, true));
        int[] lost = lost(found, margins);
        if (lost.length > 0) {
            again(search, found, queries, margins, lost);
            for (int query : lost.length > 1 ? lost(found, margins) : new int[0]) {
                again(search, found, queries, margins, query);
            }
        }
        return found;
    }

    /** Queries that a longer list may help. */
    private static int[] lost(List<Optional<CandidateSearch.Found>> found, double[] margins) {
        return IntStream.range(0, margins.length)
                .filter(q -> found.get(q).isEmpty() && !Double.isInfinite(margins[q]))
                .toArray();
    }

    private void again(
            CandidateSearch search,
            List<Optional<CandidateSearch.Found>> found,
            Queries queries,
            double[] margins,
            int... lost) {
        placeQueries(queries.only(spec.dimension(), lost));
        double[] theirMargins = IntStream.of(lost).mapToDouble(q -> margins[q]).toArray();
        List<Optional<CandidateSearch.Found>> theirs = search.find(theirMargins, false);
        for (int i = 0; i < lost.length; i++) {
            found.set(lost[i], theirs.get(i));
        }
    }

    /** The best k candidates by their exact scores. */
    private BestRows best(float[] queries, int query, CandidateSearch.Found found, int k) {
        BestRows best = new BestRows(k);
        double[] exact = found.scores();
        float[] row = new float[spec.dimension()];
        for (int i = 0; i < found.keys().length; i++) {
            int number = found.row(i);
            if (spec.rescoring() == IndexSpec.Rescoring.NONE) {
                best.offer(found.scanScore(i), number);
            } else if (number < found.firstOnHost() && exact != null) {
                best.offer(exact[i], number);
            } else {
                rows.host().read(number - found.firstOnHost(), 1, row, 0);
                best.offer(exact(queries, query, row, 0), number);
            }
        }
        return best;
    }

    private double exact(float[] queries, int query, float[] values, int row) {
        int dimension = spec.dimension();
        return ExactRescorer.score(queries, query * dimension, values, row * dimension, dimension);
    }

    /** Scores every selected row for queries with too many candidates: rows are read once for all of them. */
    private List<BestRows> scan(float[] queries, int[] lost, int k, RowSelection selection) {
        List<BestRows> best =
                IntStream.range(0, lost.length).mapToObj(i -> new BestRows(k)).toList();
        int together = memory.layout().slotRows();
        for (int from = 0; from < selection.rows() && lost.length > 0; from += together) {
            int first = from;
            float[] values = read(first, Math.min(together, selection.rows() - first));
            IntStream.range(0, lost.length).parallel().forEach(i -> {
                for (int row = 0; row < values.length / spec.dimension(); row++) {
                    if (selection.contains(first + row)) {
                        best.get(i).offer(exact(queries, lost[i], values, row), first + row);
                    }
                }
            });
        }
        return best;
    }

    @Override
    public float[] read(int firstRow, int count) {
        int present = published.rows();
        if (firstRow < 0 || count < 0 || count > present - firstRow) {
            throw new IndexOutOfBoundsException(
                    "Rows " + firstRow + " to " + ((long) firstRow + count) + " of " + present + ".");
        }
        float[] values = new float[Math.multiplyExact(count, spec.dimension())];
        return whileOpen(() -> onDevice(() -> {
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
