// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.Hits;
import io.embed4j.core.index.BestRows;
import io.embed4j.core.index.ExactRescorer;
import io.embed4j.core.index.HostRows;
import io.embed4j.core.index.IndexChecks;
import io.embed4j.spi.IndexPlan;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;

/** Vectors in host memory, scanned in float64 on all cores. */
final class CpuIndexShard implements IndexShard {
    private final IndexSpec spec;
    private final HostRows rows;
    private final ExactRescorer exact;

    CpuIndexShard(IndexSpec spec, MemoryLedger memory) {
        this.spec = spec;
        this.rows = new HostRows(
                spec.dimension(),
                bytes -> memory.reserve("index of " + spec.dimension() + " dimensions", new MemoryPlan(bytes, 0, 0)));
        this.exact = new ExactRescorer(rows);
    }

    static IndexPlan plan(IndexSpec spec, int rows) {
        return new IndexPlan(new MemoryPlan(HostRows.bytes(spec.dimension(), rows), 0, 0), 0);
    }

    @Override
    public IndexSpec spec() {
        return spec;
    }

    @Override
    public void add(FloatBuffer values) {
        rows.add(values);
    }

    @Override
    public void adopt(FloatBuffer values) {
        rows.adopt(values);
    }

    @Override
    public Hits search(FloatBuffer queries, int k, RowSelection selection) {
        int dimension = spec.dimension();
        int queryCount = IndexChecks.requireSearch(queries, dimension, k, selection, rows.rows());
        long[] ids = new long[IndexChecks.results(queryCount, k)];
        float[] scores = new float[ids.length];
        float[] query = new float[dimension];
        for (int q = 0; q < queryCount; q++) {
            queries.get(queries.position() + q * dimension, query);
            BestRows best = exact.scan(query, k, selection);
            best.drainTo(ids, scores, q * k);
        }
        return new Hits(k, ids, scores);
    }

    @Override
    public float[] read(int firstRow, int count) {
        float[] values = new float[Math.multiplyExact(count, spec.dimension())];
        rows.read(firstRow, count, values, 0);
        return values;
    }

    @Override
    public int rows() {
        return rows.rows();
    }

    @Override
    public void close() {
        rows.close();
    }
}
