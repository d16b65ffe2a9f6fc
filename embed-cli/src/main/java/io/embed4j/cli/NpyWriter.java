// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;

/**
 * NumPy's file format, version 1.0: magic, a Python literal padded with spaces so that data begins at a multiple of 64
 * bytes, then [N, D] fp32.
 *
 * <p>Format: <a href="https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html">numpy.lib.format</a>.
 */
final class NpyWriter {
    private static final int HEADER_BYTES = 128; // room for the largest N and D
    private static final int PREAMBLE_BYTES = 10;

    private NpyWriter() {}

    /**
     * Starts a file.
     *
     * @param channel empty, for writing
     * @param dimension D
     */
    static VectorWriter start(FileChannel channel, int dimension) throws IOException {
        return new FloatRows(channel, dimension, HEADER_BYTES, NpyWriter::header);
    }

    /** Returns {@link #HEADER_BYTES} bytes. */
    static byte[] header(long rows, int dimension) {
        String literal = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + rows + ", " + dimension + "), }";
        String padding = " ".repeat(HEADER_BYTES - PREAMBLE_BYTES - literal.length() - 1);
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        header.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
        header.put((byte) 1).put((byte) 0).putShort((short) (HEADER_BYTES - PREAMBLE_BYTES));
        header.put((literal + padding + "\n").getBytes(StandardCharsets.US_ASCII));
        return header.array();
    }
}
