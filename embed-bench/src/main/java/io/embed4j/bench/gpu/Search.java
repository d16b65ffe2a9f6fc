// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A search, as its load is written in a figure: {@code 1000000 x 384, Q = 32, k = 10}.
 *
 * @param rows N
 * @param dimension D
 * @param queries Q
 * @param k results per query
 * @param bytes of each number as stored
 */
record Search(long rows, int dimension, int queries, int k, int bytes) {
    private static final Pattern LOAD = Pattern.compile("(\\d+) x (\\d+), Q = (\\d+), k = (\\d+)");

    /** The size that gates were set for. */
    private static final long GATED_ROWS = 10_000_000;

    private static final int GATED_DIMENSION = 384;
    private static final int MANY_QUERIES = 1024;

    static Search of(Row row) {
        Matcher load = LOAD.matcher(row.load());
        if (!load.matches()) {
            throw new IllegalArgumentException("\"" + row.load() + "\" is not \"N x D, Q = q, k = k\".");
        }
        return new Search(
                Long.parseLong(load.group(1)),
                Integer.parseInt(load.group(2)),
                Integer.parseInt(load.group(3)),
                Integer.parseInt(load.group(4)),
                "fp32".equals(row.dtype()) ? Float.BYTES : Short.BYTES);
    }

    /**
     * What it takes at least: every number is read once, and 2 Q N D operations are done.
     *
     * @param bytesPerSecond of a large copy
     * @param flopPerSecond of a large product
     */
    double floorSeconds(double bytesPerSecond, double flopPerSecond) {
        double numbers = (double) rows * dimension;
        return Math.max(numbers * bytes / bytesPerSecond, 2 * numbers * queries / flopPerSecond);
    }

    /** How a number of floors stands to what was set for an H200. */
    String verdict(double floors) {
        if (!isGated() || (queries != 1 && queries != MANY_QUERIES)) {
            return "";
        }
        double gate = queries == 1 ? 1.2 : 1.6;
        return new Shape.Target(gate, gate, false).verdict(floors);
    }

    /** How a number of times torch stands to what was set. */
    String verdictOnTorch(double times) {
        return isGated() && queries == MANY_QUERIES ? "; torch: " + new Shape.Target(2, 2, true).verdict(times) : "";
    }

    private boolean isGated() {
        return rows == GATED_ROWS && dimension == GATED_DIMENSION;
    }
}
