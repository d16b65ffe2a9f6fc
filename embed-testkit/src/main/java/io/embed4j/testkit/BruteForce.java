// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Hits;
import java.util.Arrays;
import java.util.Comparator;
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
     * Fails unless results are the truth: the same rows in the same places with the same scores, and nothing behind them.
     *
     * @param what for the message
     * @param hits what was found
     * @param queries [Q, D]
     * @param count rows below this
     * @param selected which of them
     */
    public void check(String what, Hits hits, float[] queries, int count, IntPredicate selected) {
        assertThat(hits.queries()).as(what).isEqualTo(queries.length / dimension);
        for (int query = 0; query < hits.queries(); query++) {
            int[] ranking = ranking(queries, query, hits.k(), count, selected);
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
