// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embeddings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;

/**
 * What binary formats share: a header of fixed length, then fp32 rows, little-endian, row-major. The row count is known
 * only at the end, so the header's place is reserved first and filled last.
 */
final class FloatRows implements VectorWriter {
    private final FileChannel channel;
    private final int dimension;
    private final int headerBytes;
    private final Header header;
    private final ByteBuffer staging = ByteBuffer.allocateDirect(1 << 18).order(ByteOrder.LITTLE_ENDIAN);
    private long rows;

    /** Says in a format's own words what follows. */
    interface Header {
        byte[] of(long rows, int dimension);
    }

    /**
     * Reserves the header.
     *
     * @param channel empty, for writing
     * @param dimension D
     * @param headerBytes its length; a multiple of 64 keeps the rows aligned
     * @param header of that length, whatever the rows and D
     */
    FloatRows(FileChannel channel, int dimension, int headerBytes, Header header) throws IOException {
        this.channel = channel;
        this.dimension = dimension;
        this.headerBytes = headerBytes;
        this.header = header;
        writeFully(ByteBuffer.allocate(headerBytes));
    }

    @Override
    public void write(Embeddings chunk) throws IOException {
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

    @Override
    public void finish() throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(header.of(rows, dimension));
        if (buffer.remaining() != headerBytes) {
            throw new IllegalStateException(
                    "Header of " + buffer.remaining() + " bytes in a place of " + headerBytes + ".");
        }
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
