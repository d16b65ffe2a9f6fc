// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embeddings;
import java.io.IOException;
import java.io.OutputStream;

/** A JSON object per row: {@code {"index":0,"tokens":7,"truncated":false,"embedding":[0.1,...]}}. */
final class JsonlWriter implements VectorWriter {
    private final JsonBytes json;
    private long index;

    /**
     * Starts at index 0.
     *
     * @param out gets the lines; stays open
     */
    JsonlWriter(OutputStream out) {
        this.json = new JsonBytes(out);
    }

    @Override
    public void write(Embeddings chunk) throws IOException {
        for (int row = 0; row < chunk.size(); row++) {
            json.ascii("{\"index\":" + index++ + ",\"tokens\":" + chunk.tokenCount(row) + ",\"truncated\":"
                    + chunk.truncated(row) + ",\"embedding\":");
            json.array(chunk.vector(row));
            json.ascii("}\n");
        }
        json.flush(); // whoever reads from a pipe gets each chunk as it is ready
    }

    @Override
    public void finish() throws IOException {
        json.flush();
    }
}
