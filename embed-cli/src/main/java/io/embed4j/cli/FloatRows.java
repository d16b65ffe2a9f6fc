// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embeddings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;

/**
 * The body that binary formats share: a header of fixed length, then fp32 rows, little-endian, row-major. The row count
 * is known only at the end, so the header's place is reserved first and filled last.
 */
final class FloatRows {
    private final FileChannel channel;
    private final int headerBytes;
    private final int dimension;
    private final ByteBuffer staging = ByteBuffer.allocateDirect(1 << 18).order(ByteOrder.LITTLE_ENDIAN);
    private long rows;

    /**
     * Reserves the header.
     *
     * @param channel empty, for writing
     * @param headerBytes its length; a multiple of 64 keeps the rows aligned
     * @param dimension D
     */
    FloatRows(FileChannel channel, int headerBytes, int dimension) throws IOException {
        this.channel = channel;
        this.headerBytes = headerBytes;
        this.dimension = dimension;
        writeFully(ByteBuffer.allocate(headerBytes));
    }

    /**
     * Appends rows.
     *
     * @param chunk [n, D]
     */
    void write(Embeddings chunk) throws IOException {
        if (chunk.dimension() != dimension) {
            throw new IllegalStateException("Expected vectors of " + dimension + " numbers, got " + chunk + ".");
        }
        FloatBuffer values = chunk.values();
        while (values.hasRemaining()) {
            int count = Math.min(values.remaining(), staging.capacity() / Float.BYTES);
            staging.clear();
            staging.asFloatBuffer().put(values.slice(values.position(), count));
            values.position(values.position() + count);
            writeFully(staging.limit(count * Float.BYTES));
        }
        rows += chunk.size();
    }

    /** N so far. */
    long rows() {
        return rows;
    }

    /**
     * Fills the header's place.
     *
     * @param header as many bytes as were reserved
     */
    void writeHeader(byte[] header) throws IOException {
        if (header.length != headerBytes) {
            throw new IllegalStateException("Header of " + header.length + " bytes in a place of " + headerBytes + ".");
        }
        ByteBuffer buffer = ByteBuffer.wrap(header);
        while (buffer.hasRemaining()) {
            channel.write(buffer, buffer.position());
        }
    }

    private void writeFully(ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }
}
