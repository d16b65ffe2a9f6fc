// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.SimilarityFunction;
import java.util.BitSet;

/**
 * What there is to save.
 *
 * @param dimension D
 * @param similarity what is ranked by
 * @param stringIds whether rows are named by strings
 * @param rows N, with what was deleted
 * @param labels ids by row
 * @param deleted rows that are gone
 * @param vectors reads rows
 */
record IndexContent(
        int dimension,
        SimilarityFunction similarity,
        boolean stringIds,
        int rows,
        RowIds.Labels labels,
        BitSet deleted,
        VectorReader vectors) {

    /** Reads consecutive rows. */
    @FunctionalInterface
    interface VectorReader {
        /** The rows from the first on, [count, D]. */
        float[] read(int firstRow, int count);
    }
}
