// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import org.jspecify.annotations.Nullable;

/**
 * The nearest rows for each query, best first: ids [Q, k] and scores [Q, k]. Immutable.
 *
 * <p>Where fewer than k rows match, the rest of the row holds id -1 and score -infinity; {@link #count} says how many
 * are real.
 *
 * <pre>{@code
 * try (VectorIndex index = VectorIndex.create(2)) {
 *     index.add(new float[][] {{1, 0}, {0, 1}});
 *     Hits hits = index.search(new float[][] {{0.9f, 0.1f}}, 1);
 *     if (hits.id(0, 0) != 0) throw new AssertionError();
 * }
 * }</pre>
 *
 * @since 0.1
 */
public final class Hits {
    /** Results in {@link #toString}. */
    private static final int SHOWN = 3;

    private final int k;
    private final long[] ids;
    private final float[] scores;
    private final @Nullable String @Nullable [] strings;

    /**
     * Wraps results; the arrays are not copied and must not be changed afterwards.
     *
     * @param k results per query
     * @param ids [Q, k], row-major
     * @param scores [Q, k], row-major
     */
    public Hits(int k, long[] ids, float[] scores) {
        this(k, ids, scores, null);
    }

    /**
     * Wraps results of an index with strings as ids; the arrays are not copied and must not be changed afterwards.
     *
     * @param k results per query
     * @param rows [Q, k] row numbers, row-major
     * @param scores [Q, k], row-major
     * @param strings [Q, k] ids, row-major; null where there is no result
     * @return the results
     */
    public static Hits ofStrings(int k, long[] rows, float[] scores, @Nullable String[] strings) {
        return new Hits(k, rows, scores, strings);
    }

    private Hits(int k, long[] ids, float[] scores, @Nullable String @Nullable [] strings) {
        if (k < 1
                || ids.length != scores.length
                || ids.length % k != 0
                || (strings != null && strings.length != ids.length)) {
            throw new IllegalArgumentException(
                    "Sizes do not fit: " + ids.length + " ids, " + scores.length + " scores, k = " + k + ".");
        }
        this.k = k;
        this.ids = ids;
        this.scores = scores;
        this.strings = strings;
    }

    /**
     * Returns how many queries were asked.
     *
     * @return Q
     */
    public int queries() {
        return ids.length / k;
    }

    /**
     * Returns how many results each query has room for.
     *
     * @return k
     */
    public int k() {
        return k;
    }

    /**
     * Returns how many results a query really has.
     *
     * @param query 0 to Q - 1
     * @return 0 to k
     */
    public int count(int query) {
        int count = 0;
        while (count < k && scores[place(query, count)] != Float.NEGATIVE_INFINITY) {
            count++;
        }
        return count;
    }

    /**
     * Returns the id of a result as a string.
     *
     * @param query 0 to Q - 1
     * @param rank 0 for the best, below {@link #count}
     * @return the row's id, in decimal if ids are numbers
     */
    public String stringId(int query, int rank) {
        long id = id(query, rank);
        String string = strings == null ? null : strings[place(query, rank)];
        return string == null ? Long.toString(id) : string;
    }

    /**
     * Returns the id of a result.
     *
     * @param query 0 to Q - 1
     * @param rank 0 for the best
     * @return the row's id, or -1; the row's number if ids are strings
     */
    public long id(int query, int rank) {
        return ids[place(query, rank)];
    }

    /**
     * Returns the score of a result.
     *
     * @param query 0 to Q - 1
     * @param rank 0 for the best
     * @return the cosine or dot product, or -infinity
     */
    public float score(int query, int rank) {
        return scores[place(query, rank)];
    }

    private int place(int query, int rank) {
        if (query < 0 || query >= queries() || rank < 0 || rank >= k) {
            throw new IndexOutOfBoundsException(
                    "Result " + rank + " of query " + query + "; there are [" + queries() + ", " + k + "].");
        }
        return query * k + rank;
    }

    /** How many there are, and the first results of the first query. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("Hits[" + queries() + ", " + k + "]");
        int found = queries() == 0 ? 0 : count(0);
        int shown = Math.min(found, SHOWN);
        for (int rank = 0; rank < shown; rank++) {
            text.append(rank == 0 ? " " : ", ")
                    .append(stringId(0, rank))
                    .append('=')
                    .append(score(0, rank));
        }
        return shown < found || queries() > 1 ? text.append(" ...").toString() : text.toString();
    }
}
