// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.Hits;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * Exact top-k by plain loops: the slow, obvious twin of every faster shard.
 *
 * <p>Each query is compared with each row in float64, in the order of the numbers; a heap of k keeps the best, ties to
 * the lower row. Cost Q N D multiplications; rows are held in fp32.
 */
public final class PlainIndexShard implements IndexShard {
    private final int dimension;
    private final List<float[]> rows = new ArrayList<>();

    private record Candidate(long row, double score) {
        /** Worst first: the lower score, and of equal scores the higher row. */
        static final Comparator<Candidate> WORST_FIRST =
                Comparator.comparingDouble(Candidate::score).thenComparing(Candidate::row, Comparator.reverseOrder());
    }

    /**
     * Makes an empty shard.
     *
     * @param spec width; storage must be fp32
     */
    public PlainIndexShard(IndexSpec spec) {
        if (spec.storage() != DType.FP32) {
            throw new IllegalArgumentException(
                    "The plain index stores " + DType.FP32 + ", not " + spec.storage() + ".");
        }
        dimension = spec.dimension();
    }

    @Override
    public synchronized void add(float[] values, int count) {
        for (int row = 0; row < count; row++) {
            rows.add(Arrays.copyOfRange(values, row * dimension, (row + 1) * dimension));
        }
    }

    @Override
    public synchronized Hits search(float[] queries, int queryCount, int k, @Nullable BitSet filter) {
        long[] ids = new long[Math.multiplyExact(queryCount, k)];
        float[] scores = new float[ids.length];
        Arrays.fill(ids, -1);
        Arrays.fill(scores, Float.NEGATIVE_INFINITY);
        for (int query = 0; query < queryCount; query++) {
            PriorityQueue<Candidate> best = nearest(queries, query * dimension, k, filter);
            for (int place = best.size() - 1; place >= 0; place--) {
                Candidate worst = best.remove();
                ids[query * k + place] = worst.row();
                scores[query * k + place] = (float) worst.score();
            }
        }
        return new Hits(k, ids, scores);
    }

    private PriorityQueue<Candidate> nearest(float[] queries, int from, int k, @Nullable BitSet filter) {
        PriorityQueue<Candidate> best = new PriorityQueue<>(Candidate.WORST_FIRST);
        for (int row = 0; row < rows.size(); row++) {
            if (filter != null && !filter.get(row)) {
                continue;
            }
            Candidate candidate = new Candidate(row, dot(queries, from, rows.get(row)));
            if (best.size() < k) {
                best.add(candidate);
            } else if (Candidate.WORST_FIRST.compare(candidate, best.element()) > 0) {
                best.remove();
                best.add(candidate);
            }
        }
        return best;
    }

    private double dot(float[] queries, int from, float[] row) {
        double sum = 0;
        for (int i = 0; i < dimension; i++) {
            sum += (double) queries[from + i] * row[i];
        }
        return sum;
    }

    @Override
    public synchronized float[] read(long firstRow, int count) {
        float[] values = new float[Math.multiplyExact(count, dimension)];
        for (int i = 0; i < count; i++) {
            System.arraycopy(rows.get(Math.toIntExact(firstRow + i)), 0, values, i * dimension, dimension);
        }
        return values;
    }

    @Override
    public synchronized long rows() {
        return rows.size();
    }

    @Override
    public synchronized void close() {
        rows.clear();
    }
}
