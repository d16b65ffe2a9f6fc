// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.core.index.BestRows;
import java.util.Arrays;

/**
 * The rows of one query that a scan cannot rule out: those whose score is within twice the margin of the k-th best. Workers
 * skip what is below {@link #threshold()}, which rises as better rows come; when the list is full, what has fallen below it is
 * thrown out. About k ln(N / k) rows pass in a corpus in random order.
 *
 * <p>If the list would outgrow its limit, because very many rows are that close, it gives up: an exact scan then costs less.
 * Where the margin is infinite, it has given up from the start.
 */
final class Survivors {
    private final int k;
    private final double twiceMargin;
    private final int limit;
    private float[] scores;
    private int[] rows;
    private int size;
    private boolean overflowed;
    private volatile float threshold;

    /**
     * Makes an empty list.
     *
     * @param k results wanted
     * @param margin how far scores may be off
     * @param limit how many rows it may hold
     */
    Survivors(int k, double margin, int limit) {
        this.k = k;
        this.twiceMargin = 2 * margin;
        this.limit = limit;
        this.overflowed = Double.isInfinite(margin);
        this.threshold = overflowed ? Float.POSITIVE_INFINITY : Float.NEGATIVE_INFINITY;
        // Short at first: the sooner it is full, the sooner there is a threshold, and fewer rows pass.
        int capacity = overflowed ? 0 : Math.min(limit, Math.max(64, 4 * k));
        scores = new float[capacity];
        rows = new int[capacity];
    }

    /** Rows with lower scores need not be offered. Infinite once the list has given up. */
    float threshold() {
        return threshold;
    }

    /**
     * Offers rows of the scan.
     *
     * @param newScores their scores
     * @param newRows their numbers
     * @param count how many
     */
    synchronized void offer(float[] newScores, int[] newRows, int count) {
        for (int i = 0; i < count && !overflowed; i++) {
            if (newScores[i] >= threshold) {
                if (size == rows.length) {
                    makeRoom();
                }
                scores[size] = newScores[i];
                rows[size++] = newRows[i];
            }
        }
    }

    private void makeRoom() {
        compact();
        if (size > rows.length * 3L / 4) {
            if (size >= limit) {
                overflowed = true;
                threshold = Float.POSITIVE_INFINITY;
                size = 0;
                return;
            }
            int capacity = (int) Math.min(limit, 2L * rows.length);
            scores = Arrays.copyOf(scores, capacity);
            rows = Arrays.copyOf(rows, capacity);
        }
    }

    /** Raises the threshold to what the k-th best allows, and drops what is below. */
    private void compact() {
        if (size < k) {
            return;
        }
        float[] sorted = Arrays.copyOf(scores, size);
        Arrays.sort(sorted);
        threshold = Math.max(threshold, atMost(sorted[size - k] - twiceMargin));
        int kept = 0;
        for (int i = 0; i < size; i++) {
            if (scores[i] >= threshold) {
                scores[kept] = scores[i];
                rows[kept++] = rows[i];
            }
        }
        size = kept;
    }

    /** The largest float that is not above a number. */
    private static float atMost(double value) {
        float nearest = (float) value;
        return nearest <= value ? nearest : Math.nextDown(nearest);
    }

    /** Tells whether there were more rows than the list may hold. */
    boolean overflowed() {
        return overflowed;
    }

    /**
     * The rows that are left, when the scan is over.
     *
     * @return row numbers, each once
     */
    int[] candidates() {
        compact();
        return Arrays.copyOf(rows, size);
    }

    /**
     * The best rows by the scan's own scores, when the scan is over.
     *
     * @param k how many
     */
    BestRows best(int k) {
        BestRows best = new BestRows(k);
        for (int i = 0; i < size; i++) {
            best.offer(scores[i], rows[i]);
        }
        return best;
    }
}
