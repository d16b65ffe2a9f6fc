// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import java.util.Arrays;

/**
 * The best k rows seen so far: higher scores are better, of equal ones the lower row. A binary heap with the worst on top,
 * so that most rows cost one comparison; its order is total, so the result does not depend on the order of arrival.
 */
public final class BestRows {
    private final int k;
    private double[] scores;
    private int[] rows;
    private int size;

    /**
     * Makes an empty list.
     *
     * @param k how many rows to keep, at least 1
     */
    public BestRows(int k) {
        this.k = k;
        int start = Math.min(k, 64);
        scores = new double[start];
        rows = new int[start];
    }

    /**
     * Offers a row.
     *
     * @param score its score; no NaN
     * @param row its number
     */
    public void offer(double score, int row) {
        if (size < k) {
            if (size == rows.length) {
                int capacity = Math.min(k, 2 * size);
                scores = Arrays.copyOf(scores, capacity);
                rows = Arrays.copyOf(rows, capacity);
            }
            scores[size] = score;
            rows[size] = row;
            rise(size++);
        } else if (isWorse(scores[0], rows[0], score, row)) {
            scores[0] = score;
            rows[0] = row;
            sink(0, size);
        }
    }

    /**
     * Offers all rows of another list.
     *
     * @param other stays as it is
     */
    public void offerAll(BestRows other) {
        for (int i = 0; i < other.size; i++) {
            offer(other.scores[i], other.rows[i]);
        }
    }

    /**
     * Writes the rows, best first, and empties the list. What is left of the k places gets id -1 and score -infinity.
     *
     * @param ids where row numbers go
     * @param out where scores go, rounded to fp32
     * @param from the first of k places
     */
    public void drainTo(long[] ids, float[] out, int from) {
        Arrays.fill(ids, from + size, from + k, -1);
        Arrays.fill(out, from + size, from + k, Float.NEGATIVE_INFINITY);
        while (size > 0) {
            size--;
            ids[from + size] = rows[0];
            out[from + size] = (float) scores[0];
            scores[0] = scores[size];
            rows[0] = rows[size];
            sink(0, size);
        }
    }

    private static boolean isWorse(double score, int row, double otherScore, int otherRow) {
        return score < otherScore || (score == otherScore && row > otherRow);
    }

    private void rise(int place) {
        int at = place;
        while (at > 0) {
            int parent = (at - 1) / 2;
            if (!isWorse(scores[at], rows[at], scores[parent], rows[parent])) {
                return;
            }
            swap(at, parent);
            at = parent;
        }
    }

    private void sink(int place, int end) {
        int at = place;
        while (true) {
            int worst = at;
            for (int child = 2 * at + 1; child <= 2 * at + 2 && child < end; child++) {
                if (isWorse(scores[child], rows[child], scores[worst], rows[worst])) {
                    worst = child;
                }
            }
            if (worst == at) {
                return;
            }
            swap(at, worst);
            at = worst;
        }
    }

    private void swap(int a, int b) {
        double score = scores[a];
        scores[a] = scores[b];
        scores[b] = score;
        int row = rows[a];
        rows[a] = rows[b];
        rows[b] = row;
    }
}
