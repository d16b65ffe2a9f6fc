// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embeddings;
import java.io.IOException;

/** Writes vectors in one file format, chunk after chunk, in constant memory. Whoever opened the file closes it. */
interface VectorWriter {

    /**
     * Appends rows.
     *
     * @param chunk [n, D]
     */
    void write(Embeddings chunk) throws IOException;

    /** Completes the file once all rows are written; without rows it holds [0, D]. */
    void finish() throws IOException;
}
