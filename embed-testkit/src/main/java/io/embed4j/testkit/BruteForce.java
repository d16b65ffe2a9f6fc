// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Hits;
import java.util.Arrays;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * The truth about top-k, the obvious way: all scores in float64, products added from the first to the last, then sorted; ties
 * by row.
 *
 * @param dimension D
 * @param rows [N, D], row-major
 */
@SuppressWarnings("ArrayRecordComponent")
public record BruteForce(int dimension, float[] rows) {

    /**
     * The dot product of a query and a row.
     *
     * @param queries [Q, D]
     * @param query which
     * @param row which
     */
    public double score(float[] queries, int query, int row) {
        double sum = 0;
        for (int i = 0; i < dimension; i++) {
            sum += (double) queries[query * dimension + i] * rows[row * dimension + i];
        }
        return sum;
    }

    /**
     * The best of the rows that may be found, best first.
     *
     * @param queries [Q, D]
     * @param query which
     * @param k how many, if there are as many
     * @param count rows below this
     * @param selected which of them
     */
    public int[] ranking(float[] queries, int query, int k, int count, IntPredicate selected) {
        int[] found = IntStream.range(0, count).filter(selected).toArray();
        double[] scores = new double[count];
        for (int row : found) {
            scores[row] = score(queries, query, row);
        }
        double[] sorted =
                IntStream.of(found).mapToDouble(row -> scores[row]).sorted().toArray();
        double kthBest = k < sorted.length ? sorted[sorted.length - k] : Double.NEGATIVE_INFINITY;
        return IntStream.of(found)
                .filter(row -> scores[row] >= kthBest)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer row) -> -scores[row])
                        .thenComparing(row -> row))
                .limit(k)
                .mapToInt(row -> row)
                .toArray();
    }

    /**
     * The best of all rows for each query, as {@link #ranking} has them, on all cores and by eight rows at a time: quick enough
     * for 1e10 products.
     *
     * @param queries [Q, D]
     * @param k how many, if there are as many
     * @return [Q][k], best first
     */
    public int[][] rankings(float[] queries, int k) {
        return IntStream.range(0, queries.length / dimension)
                .parallel()
                .mapToObj(query -> ranking(scores(queries, query), k))
                .toArray(int[][]::new);
    }

    /** Eight sums that do not wait for each other; each adds up as {@link #score} does. */
    private double[] scores(float[] queries, int query) {
        double[] scores = new double[rows.length / dimension];
        int whole = scores.length / 8 * 8;
        int from = query * dimension;
        for (int row = 0; row < whole; row += 8) {
            double a = 0;
            double b = 0;
            double c = 0;
            double d = 0;
            double e = 0;
            double f = 0;
            double g = 0;
            double h = 0;
            int at = row * dimension;
            for (int i = 0; i < dimension; i++, at++) {
                double q = queries[from + i];
                a += q * rows[at];
                b += q * rows[at + dimension];
                c += q * rows[at + 2 * dimension];
                d += q * rows[at + 3 * dimension];
                e += q * rows[at + 4 * dimension];
                f += q * rows[at + 5 * dimension];
                g += q * rows[at + 6 * dimension];
                h += q * rows[at + 7 * dimension];
            }
            double[] eight = {a, b, c, d, e, f, g, h};
            System.arraycopy(eight, 0, scores, row, 8);
        }
        for (int row = whole; row < scores.length; row++) {
            scores[row] = score(queries, query, row);
        }
        return scores;
    }

    private static int[] ranking(double[] scores, int k) {
        Comparator<Integer> worstFirst = Comparator.comparingDouble((Integer row) -> scores[row])
                .thenComparing(Comparator.<Integer>naturalOrder().reversed());
        PriorityQueue<Integer> best = new PriorityQueue<>(worstFirst);
        for (int row = 0; row < scores.length; row++) {
            if (best.size() < k || scores[row] > scores[best.element()]) {
                best.add(row);
                if (best.size() > k) {
                    best.remove();
                }
            }
        }
        return best.stream().sorted(worstFirst.reversed()).mapToInt(row -> row).toArray();
    }

    /**
     * Fails unless results are the truth: the same rows in the same places with the same scores, and nothing behind them.
     *
     * @param what for the message
     * @param hits what was found
     * @param queries [Q, D]
     * @param count rows below this
     * @param selected which of them
     */
    public void check(String what, Hits hits, float[] queries, int count, IntPredicate selected) {
        check(
                what,
                hits,
                queries,
                IntStream.range(0, queries.length / dimension)
                        .mapToObj(query -> ranking(queries, query, hits.k(), count, selected))
                        .toArray(int[][]::new));
    }

    /**
     * Fails unless results are these.
     *
     * @param what for the message
     * @param hits what was found
     * @param queries [Q, D]
     * @param rankings [Q][at most k], best first
     */
    public void check(String what, Hits hits, float[] queries, int[][] rankings) {
        assertThat(hits.queries()).as(what).isEqualTo(rankings.length);
        for (int query = 0; query < hits.queries(); query++) {
            int[] ranking = rankings[query];
            long[] expectedIds = new long[hits.k()];
            float[] expectedScores = new float[hits.k()];
            Arrays.fill(expectedIds, -1);
            Arrays.fill(expectedScores, Float.NEGATIVE_INFINITY);
            for (int rank = 0; rank < ranking.length; rank++) {
                expectedIds[rank] = ranking[rank];
                expectedScores[rank] = (float) score(queries, query, ranking[rank]);
            }
            for (int rank = 0; rank < hits.k(); rank++) {
                if (hits.id(query, rank) != expectedIds[rank] || hits.score(query, rank) != expectedScores[rank]) {
                    throw new AssertionError(what + ": query " + query + ", rank " + rank + " is row "
                            + hits.id(query, rank) + " with " + hits.score(query, rank) + ", the truth is row "
                            + expectedIds[rank] + " with " + expectedScores[rank] + ".");
                }
            }
        }
    }
}
