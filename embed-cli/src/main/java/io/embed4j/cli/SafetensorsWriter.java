// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;

/**
 * A safetensors file with the one tensor {@code embeddings}, [N, D] fp32: the header's length in 8 bytes, a JSON header
 * that may end in spaces, then the data.
 *
 * <p>Format: <a href="https://github.com/huggingface/safetensors#format">huggingface/safetensors</a>.
 */
final class SafetensorsWriter {
    private static final int HEADER_BYTES = 192; // room for the largest N and D

    private SafetensorsWriter() {}

    /**
     * Starts a file.
     *
     * @param channel empty, for writing
     * @param dimension D
     */
    static VectorWriter start(FileChannel channel, int dimension) throws IOException {
        return new FloatRows(channel, dimension, HEADER_BYTES, SafetensorsWriter::header);
    }

    /** Returns {@link #HEADER_BYTES} bytes. */
    static byte[] header(long rows, int dimension) {
        int jsonBytes = HEADER_BYTES - Long.BYTES;
        String json = "{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[" + rows + "," + dimension
                + "],\"data_offsets\":[0," + rows * dimension * Float.BYTES + "]}}";
        String padding = " ".repeat(jsonBytes - json.length());
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(jsonBytes).put((json + padding).getBytes(StandardCharsets.US_ASCII));
        return header.array();
    }
}
