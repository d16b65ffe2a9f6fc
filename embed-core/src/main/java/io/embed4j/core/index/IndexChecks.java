// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.VectorIndex;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;

/** What every shard refuses, in the same words. */
public final class IndexChecks {
    private IndexChecks() {}

    /**
     * Counts the rows of a buffer.
     *
     * @param values [n, D] from the buffer's position to its limit
     * @param dimension D
     * @return n
     */
    public static int requireWholeRows(FloatBuffer values, int dimension) {
        if (values.remaining() % dimension != 0) {
            throw new IllegalArgumentException(values.remaining()
                    + " numbers are no whole vectors; this index holds vectors of " + dimension + ".");
        }
        return values.remaining() / dimension;
    }

    /**
     * Refuses more rows than a shard can number.
     *
     * @param rows N
     * @param more how many are to be added
     */
    public static void requireRoom(int rows, int more) {
        if (more > Integer.MAX_VALUE - rows) {
            throw new EmbedException(
                    HelpTopic.TOO_MANY_ROWS,
                    "An index holds at most " + Integer.MAX_VALUE + " rows. It has " + rows + ", and " + more
                            + " are to be added. Make a second index.");
        }
    }

    /**
     * Checks the arguments of a search.
     *
     * @param queries [Q, D] from the buffer's position to its limit
     * @param dimension D
     * @param k results per query
     * @param selection rows that may be found
     * @param rows N
     * @return Q
     */
    public static int requireSearch(FloatBuffer queries, int dimension, int k, RowSelection selection, int rows) {
        if (k < 1 || k > VectorIndex.MAX_K) {
            throw new IllegalArgumentException("k must be 1 to " + VectorIndex.MAX_K + ", found " + k + ".");
        }
        if (selection.rows() > rows) {
            throw new IllegalArgumentException(
                    "A search cannot look at " + selection.rows() + " rows of an index that has " + rows + ".");
        }
        return requireWholeRows(queries, dimension);
    }

    /**
     * The size of a result.
     *
     * @param queries Q
     * @param k results per query
     * @return Q * k
     * @throws EmbedException if that is more than an array can hold
     */
    public static int results(int queries, int k) {
        long results = (long) queries * k;
        if (results > Integer.MAX_VALUE - 8) {
            throw new EmbedException(
                    HelpTopic.TOO_MANY_ROWS,
                    queries + " queries with k = " + k
                            + " are more results than an array can hold. Ask in several calls.");
        }
        return (int) results;
    }
}
