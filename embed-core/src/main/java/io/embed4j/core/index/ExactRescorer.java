// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.spi.RowSelection;
import java.util.stream.IntStream;

/**
 * The one place where exact scores are computed: the dot product of a query and a row, both fp32, in float64. A product of
 * two fp32 numbers is exact in float64; products are added from the first to the last. Four rows are scored at a time, each
 * in that order: their sums do not wait for each other.
 *
 * <p>{@link #rescore} serves shards that have found candidates by a faster scan. {@link #scan} looks at every row, on all
 * cores; it is for queries with so many near-equal rows that candidates would be no gain.
 */
public final class ExactRescorer {
    private static final int TOGETHER = 4;
    private static final int ROWS_PER_TASK = 1024;

    private final HostRows rows;
    private final int dimension;

    /**
     * Scores these rows.
     *
     * @param rows the shard's fp32 rows
     */
    public ExactRescorer(HostRows rows) {
        this.rows = rows;
        this.dimension = rows.dimension();
    }

    /**
     * Scores candidates.
     *
     * @param query [D]
     * @param candidates row numbers, each once, in any order
     * @param count how many of them
     * @param best gets them
     */
    public void rescore(float[] query, int[] candidates, int count, BestRows best) {
        Batch batch = new Batch(query, best);
        for (int i = 0; i < count; i++) {
            batch.add(candidates[i]);
        }
        batch.flush();
    }

    /**
     * Scores every selected row, on all cores.
     *
     * @param query [D]
     * @param k results
     * @param selection the rows to look at
     * @return the best k
     */
    public BestRows scan(float[] query, int k, RowSelection selection) {
        int tasks = (int) (((long) selection.rows() + ROWS_PER_TASK - 1) / ROWS_PER_TASK);
        return IntStream.range(0, tasks)
                .parallel()
                .collect(
                        () -> new BestRows(k),
                        (best, task) -> scan(query, selection, task * ROWS_PER_TASK, best),
                        BestRows::offerAll);
    }

    private void scan(float[] query, RowSelection selection, int firstRow, BestRows best) {
        Batch batch = new Batch(query, best);
        int firstWord = firstRow / Long.SIZE;
        for (int word = firstWord; word < firstWord + ROWS_PER_TASK / Long.SIZE; word++) {
            long bits = selection.word(word);
            while (bits != 0) {
                batch.add(word * Long.SIZE + Long.numberOfTrailingZeros(bits));
                bits &= bits - 1;
            }
        }
        batch.flush();
    }

    /**
     * The score of one row by definition.
     *
     * @param query holds [D]
     * @param fromQuery where
     * @param row holds [D]
     * @param fromRow where
     * @param dimension D
     */
    public static double score(float[] query, int fromQuery, float[] row, int fromRow, int dimension) {
        double sum = 0;
        for (int i = 0; i < dimension; i++) {
            sum += (double) query[fromQuery + i] * row[fromRow + i];
        }
        return sum;
    }

    /** Rows waiting to be scored together. */
    private final class Batch {
        private final float[] query;
        private final BestRows best;
        private final float[] values = new float[TOGETHER * dimension];
        private final int[] numbers = new int[TOGETHER];
        private int size;

        Batch(float[] query, BestRows best) {
            this.query = query;
            this.best = best;
        }

        void add(int row) {
            rows.read(row, 1, values, size * dimension);
            numbers[size++] = row;
            if (size == TOGETHER) {
                scoreFour();
                size = 0;
            }
        }

        void flush() {
            for (int i = 0; i < size; i++) {
                best.offer(score(query, 0, values, i * dimension, dimension), numbers[i]);
            }
            size = 0;
        }

        private void scoreFour() {
            double a = 0;
            double b = 0;
            double c = 0;
            double d = 0;
            for (int i = 0; i < dimension; i++) {
                double q = query[i];
                a += q * values[i];
                b += q * values[dimension + i];
                c += q * values[2 * dimension + i];
                d += q * values[3 * dimension + i];
            }
            best.offer(a, numbers[0]);
            best.offer(b, numbers[1]);
            best.offer(c, numbers[2]);
            best.offer(d, numbers[3]);
        }
    }
}
