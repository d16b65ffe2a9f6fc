// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import ai.onnxruntime.OnnxTensor;
import io.embed4j.Hits;
import io.embed4j.core.index.BestRows;
import io.embed4j.core.index.ExactRescorer;
import io.embed4j.core.index.HostRows;
import io.embed4j.core.index.IndexChecks;
import io.embed4j.core.index.RowBounds;
import io.embed4j.core.index.ScoreMargin;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexPlan;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.RowSelection;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Vectors in host memory. A search scans all rows in fp32, read as fp32 or as 16-bit numbers, by ONNX Runtime's matrix product
 * on all cores ({@link BlockScan}), and keeps the rows that the proven margin ({@link ScoreMargin}) does not rule out; those are
 * scored exactly. Cost for few queries: reading the rows once, N D 4 bytes, or half of that in 16 bits; for many: 2 Q N D
 * operations.
 *
 * <p>Where hardly any row is selected, or too many are within the margin, rows are scored exactly at once.
 */
final class CpuIndexShard implements IndexShard {
    /** Fewer rows than this share of all are scored exactly at once: they are read one by one, but nothing else is. */
    private static final int SPARSE = 32;
    /** How many candidates of a query are worth keeping. */
    private static final int MIN_CANDIDATES = 1 << 16;
    /** Bounds the lists of survivors of one pass: results of all its queries. */
    private static final int RESULTS_PER_PASS = 1 << 18;

    private static final int ROWS_PER_TASK = 256;

    private final IndexSpec spec;
    private final int dimension;
    private final IndexWorkers workers;
    private final ScoreSession session;
    private final MemoryLedger.Reservation workspace;
    private final HostRows fp32Rows;
    private final Optional<SixteenBitRows> sixteenBitRows;
    private final ExactRescorer exact;
    private final ScoreMargin margin;
    private volatile RowBounds bounds = RowBounds.NONE;
    private volatile int rows;

    CpuIndexShard(IndexSpec spec, MemoryLedger memory) {
        this.spec = spec;
        this.dimension = spec.dimension();
        String tenant = "index of " + dimension + " dimensions";
        this.workspace = memory.reserve(tenant, plan(spec, 0).device());
        this.fp32Rows = new HostRows(dimension, bytes -> memory.reserve(tenant, new MemoryPlan(bytes, 0, 0)));
        this.sixteenBitRows = spec.storage() == DType.FP32
                ? Optional.empty()
                : Optional.of(new SixteenBitRows(
                        dimension, spec.storage(), bytes -> memory.reserve(tenant, new MemoryPlan(bytes, 0, 0))));
        this.exact = new ExactRescorer(fp32Rows);
        this.margin = new ScoreMargin(dimension, ScoreMargin.FP32_ROUNDING);
        this.session = ScoreSession.open(spec.storage());
        this.workers = new IndexWorkers();
    }

    static IndexPlan plan(IndexSpec spec, int rows) {
        long fp32 = keepsFp32(spec) ? HostRows.bytes(spec.dimension(), rows) : 0;
        long sixteenBit = spec.storage() == DType.FP32 ? 0 : SixteenBitRows.bytes(spec.dimension(), rows);
        return new IndexPlan(new MemoryPlan(fp32 + sixteenBit, 0, IndexWorkers.bytes()), 0);
    }

    private static boolean keepsFp32(IndexSpec spec) {
        return spec.storage() == DType.FP32 || spec.rescoring() == IndexSpec.Rescoring.EXACT;
    }

    @Override
    public IndexSpec spec() {
        return spec;
    }

    @Override
    public synchronized void add(FloatBuffer values) {
        append(values, () -> fp32Rows.add(values));
    }

    @Override
    public synchronized void adopt(FloatBuffer values) {
        append(values, () -> fp32Rows.adopt(values));
    }

    private void append(FloatBuffer values, Runnable keep) {
        int count = IndexChecks.requireWholeRows(values, dimension);
        IndexChecks.requireRoom(rows, count);
        int firstRow = rows;
        sixteenBitRows.ifPresent(rounded -> rounded.reserve(firstRow + count));
        if (keepsFp32(spec)) {
            keep.run();
        }
        // Whoever knows of the rows must know their bounds.
        bounds = bounds.and(round(values, firstRow, count));
        rows = firstRow + count;
    }

    /** Puts rows into their 16-bit places, and measures them. */
    private RowBounds round(FloatBuffer values, int firstRow, int count) {
        return IntStream.range(0, (count + ROWS_PER_TASK - 1) / ROWS_PER_TASK)
                .parallel()
                .mapToObj(task -> {
                    RowBounds found = RowBounds.NONE;
                    float[] row = new float[dimension];
                    for (int i = task * ROWS_PER_TASK; i < Math.min(count, (task + 1) * ROWS_PER_TASK); i++) {
                        values.get(values.position() + i * dimension, row);
                        found = found.and(RowBounds.of(row, 0, dimension, spec.storage()));
                        int number = firstRow + i;
                        sixteenBitRows.ifPresent(rounded -> rounded.set(number, row));
                    }
                    return found;
                })
                .reduce(RowBounds.NONE, RowBounds::and);
    }

    @Override
    public synchronized Runnable mark() {
        int rowsBefore = rows;
        RowBounds boundsBefore = bounds;
        Runnable fp32 = fp32Rows.mark();
        Optional<Runnable> sixteenBit = sixteenBitRows.map(SixteenBitRows::mark);
        return () -> {
            synchronized (this) {
                rows = rowsBefore;
                bounds = boundsBefore;
                fp32.run();
                sixteenBit.ifPresent(Runnable::run);
            }
        };
    }

    @Override
    public Hits search(FloatBuffer queries, int k, RowSelection selection) {
        int queryCount = IndexChecks.requireSearch(queries, dimension, k, selection, rows);
        long[] ids = new long[IndexChecks.results(queryCount, k)];
        float[] scores = new float[ids.length];
        RowBounds rowBounds = bounds;
        int perPass = Math.max(16, Math.min(BlockScan.MAX_QUERIES, RESULTS_PER_PASS / k));
        boolean sparse = spec.rescoring() == IndexSpec.Rescoring.EXACT
                && !selection.isAll()
                && selection.count() < selection.rows() / SPARSE;
        for (int from = 0; from < queryCount; from += perPass) {
            int count = Math.min(perPass, queryCount - from);
            float[][] pass = new float[count][dimension];
            for (int q = 0; q < count; q++) {
                queries.get(queries.position() + (from + q) * dimension, pass[q]);
            }
            Survivors[] survivors =
                    Stream.of(pass).map(query -> survivors(query, k, rowBounds)).toArray(Survivors[]::new);
            if (!sparse) {
                scan(pass, selection, survivors);
            }
            int first = from;
            IntStream.range(0, count)
                    .parallel()
                    .forEach(q ->
                            best(pass[q], k, selection, sparse, survivors[q]).drainTo(ids, scores, (first + q) * k));
        }
        return new Hits(k, ids, scores);
    }

    /** A list that has given up from the start where the scan's scores say nothing. */
    private Survivors survivors(float[] query, int k, RowBounds rowBounds) {
        if (spec.rescoring() == IndexSpec.Rescoring.NONE) {
            return new Survivors(k, 0, Integer.MAX_VALUE);
        }
        double error = margin.of(RowBounds.of(query, 0, dimension, DType.FP32), rowBounds);
        return new Survivors(k, error, Math.max(MIN_CANDIDATES, 8 * k));
    }

    private void scan(float[][] queries, RowSelection selection, Survivors[] survivors) {
        FloatBuffer values = ByteBuffer.allocateDirect(queries.length * dimension * Float.BYTES)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        for (float[] query : queries) {
            values.put(query);
        }
        List<BlockScan.Block> blocks =
                blocks(selection.rows(), BlockScan.blockRows(queries.length, dimension, spec.storage()));
        try (OnnxTensor tensor = session.queries(values.flip(), dimension)) {
            BlockScan scan = new BlockScan(session, tensor, dimension, selection, survivors, blocks);
            workers.run(blocks.size(), scan::work);
        }
    }

    private List<BlockScan.Block> blocks(int count, int blockRows) {
        List<BlockScan.Block> blocks = new ArrayList<>();
        if (sixteenBitRows.isPresent()) {
            int rowBytes = dimension * Short.BYTES;
            for (SixteenBitRows.Part part : sixteenBitRows.get().parts()) {
                int end = Math.min(count - part.firstRow(), part.capacity());
                for (int row = 0; row < end; row += blockRows) {
                    int size = Math.min(blockRows, end - row);
                    ByteBuffer values = part.bytes().slice(row * rowBytes, size * rowBytes);
                    blocks.add(new BlockScan.Block(part.firstRow() + row, size, values.order(ByteOrder.nativeOrder())));
                }
            }
        } else {
            for (HostRows.Part part : fp32Rows.parts().list()) {
                int end = Math.min(count - part.firstRow(), part.rows());
                for (int row = 0; row < end; row += blockRows) {
                    int size = Math.min(blockRows, end - row);
                    FloatBuffer values = part.values().slice(row * dimension, size * dimension);
                    blocks.add(new BlockScan.Block(part.firstRow() + row, size, values));
                }
            }
        }
        return blocks;
    }

    private BestRows best(float[] query, int k, RowSelection selection, boolean sparse, Survivors survivors) {
        if (spec.rescoring() == IndexSpec.Rescoring.NONE) {
            return survivors.best(k);
        }
        if (sparse || survivors.overflowed()) {
            return exact.scan(query, k, selection);
        }
        BestRows best = new BestRows(k);
        int[] candidates = survivors.candidates();
        exact.rescore(query, candidates, candidates.length, best);
        return best;
    }

    @Override
    public float[] read(int firstRow, int count) {
        float[] values = new float[Math.multiplyExact(count, dimension)];
        if (keepsFp32(spec)) {
            fp32Rows.read(firstRow, count, values, 0);
        } else {
            for (int i = 0; i < count; i++) {
                sixteenBitRows.orElseThrow().read(firstRow + i, values, i * dimension);
            }
        }
        return values;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public synchronized void close() {
        workers.close();
        session.close();
        fp32Rows.close();
        sixteenBitRows.ifPresent(SixteenBitRows::close);
        workspace.close();
    }
}
