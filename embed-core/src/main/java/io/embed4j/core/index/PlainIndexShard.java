// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.Hits;
import io.embed4j.core.math.SixteenBits;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Top-k by plain loops: the slow, obvious twin of every faster shard.
 *
 * <p>Each query is compared with each row in float64, in the order of the numbers. Rows are held in fp32, so the storage makes
 * no difference, but without rescoring: then they are rounded to it when they are added. Cost Q N D multiplications.
 */
public class PlainIndexShard implements IndexShard {
    private final IndexSpec spec;
    private final int dimension;
    private final List<float[]> rows = new ArrayList<>();

    /**
     * Makes an empty shard.
     *
     * @param spec width, storage, rescoring
     */
    public PlainIndexShard(IndexSpec spec) {
        this.spec = spec;
        this.dimension = spec.dimension();
    }

    @Override
    public IndexSpec spec() {
        return spec;
    }

    @Override
    public synchronized void add(FloatBuffer values) {
        IndexChecks.requireWholeRows(values, dimension);
        FloatBuffer source = values.duplicate();
        while (source.hasRemaining()) {
            float[] row = new float[dimension];
            source.get(row);
            if (spec.rescoring() == IndexSpec.Rescoring.NONE) {
                for (int i = 0; i < dimension; i++) {
                    row[i] = SixteenBits.round(row[i], spec.storage());
                }
            }
            rows.add(row);
        }
    }

    @Override
    public synchronized Runnable mark() {
        int before = rows.size();
        return () -> truncate(before);
    }

    private synchronized void truncate(int count) {
        rows.subList(count, rows.size()).clear();
    }

    @Override
    public synchronized Hits search(FloatBuffer queries, int k, RowSelection selection) {
        int queryCount = IndexChecks.requireSearch(queries, dimension, k, selection, rows.size());
        long[] ids = new long[IndexChecks.results(queryCount, k)];
        float[] scores = new float[ids.length];
        float[] query = new float[dimension];
        for (int q = 0; q < queryCount; q++) {
            queries.get(queries.position() + q * dimension, query);
            BestRows best = new BestRows(k);
            for (int row = 0; row < selection.rows(); row++) {
                if (selection.contains(row)) {
                    best.offer(ExactRescorer.score(query, 0, rows.get(row), 0, dimension), row);
                }
            }
            best.drainTo(ids, scores, q * k);
        }
        return new Hits(k, ids, scores);
    }

    @Override
    public synchronized float[] read(int firstRow, int count) {
        float[] values = new float[Math.multiplyExact(count, dimension)];
        for (int i = 0; i < count; i++) {
            System.arraycopy(rows.get(firstRow + i), 0, values, i * dimension, dimension);
        }
        return values;
    }

    @Override
    public synchronized int rows() {
        return rows.size();
    }

    @Override
    public synchronized void close() {
        rows.clear();
    }
}
