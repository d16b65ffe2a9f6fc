// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Reads lines of UTF-8. A line ends at {@code \n} or {@code \r\n}; the last one may end at the end of the file. Unlike
 * {@link java.io.BufferedReader}, a lone {@code \r} is part of the text, a byte order mark at the start is not, and bytes
 * that are not UTF-8 are an error with their place instead of U+FFFD.
 */
final class LineReader implements Closeable {
    /** Longer than any text; such a "line" is a file of another kind. */
    static final int MAX_LINE_BYTES = 1 << 28;

    private static final char REPLACEMENT = '\uFFFD';

    private final InputStream in;
    private byte[] buffer = new byte[1 << 16];
    private int start;
    private int end;
    private boolean atEnd;
    private long lineNumber;

    /**
     * Reads from here on.
     *
     * @param in bytes; closed by {@link #close()}
     */
    LineReader(InputStream in) {
        this.in = in;
    }

    /**
     * Reads the next line.
     *
     * @return the line without its end; null after the last one
     * @throws MalformedLineException if its bytes are not UTF-8 or have no end
     */
    @Nullable
    String next() throws IOException {
        lineNumber++;
        int searched = start;
        while (true) {
            for (int i = searched; i < end; i++) {
                if (buffer[i] == '\n') {
                    int from = start;
                    start = i + 1;
                    return decode(from, i);
                }
            }
            if (atEnd) {
                int from = start;
                start = end;
                return from == end ? null : decode(from, end);
            }
            int unfinished = end - start;
            fill();
            searched = start + unfinished;
        }
    }

    /** Number of the line returned last, from 1. */
    long lineNumber() {
        return lineNumber;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }

    private void fill() throws IOException {
        System.arraycopy(buffer, start, buffer, 0, end - start);
        end -= start;
        start = 0;
        if (end == buffer.length) {
            if (end >= MAX_LINE_BYTES) {
                throw new MalformedLineException("the line is longer than " + (MAX_LINE_BYTES >> 20)
                        + " MiB. Expected a text file with a text per line.");
            }
            buffer = Arrays.copyOf(buffer, buffer.length * 2);
        }
        int count = in.read(buffer, end, buffer.length - end);
        if (count < 0) {
            atEnd = true;
        } else {
            end += count;
        }
    }

    private String decode(int from, int newline) throws MalformedLineException {
        int to = newline > from && newline < end && buffer[newline - 1] == '\r' ? newline - 1 : newline;
        if (lineNumber == 1 && to - from >= 3 && Arrays.equals(buffer, from, from + 3, BYTE_ORDER_MARK, 0, 3)) {
            from += 3;
        }
        String line = new String(buffer, from, to - from, StandardCharsets.UTF_8);
        if (line.indexOf(REPLACEMENT) >= 0) {
            requireUtf8(from, to);
        }
        return line;
    }

    private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

    /** The text may hold U+FFFD itself; only a strict decoder can tell. */
    private void requireUtf8(int from, int to) throws MalformedLineException {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        ByteBuffer bytes = ByteBuffer.wrap(buffer, from, to - from).slice();
        CoderResult result = decoder.decode(bytes, CharBuffer.allocate(to - from), true);
        if (result.isError()) {
            int at = bytes.position();
            throw new MalformedLineException(String.format(
                    "byte %d of the line, 0x%02X, is not UTF-8. Convert the file first, for instance:"
                            + " iconv -f %s -t UTF-8",
                    at + 1,
                    bytes.get(at) & 0xFF,
                    lineNumber == 1 && at == 0 && isUtf16(bytes) ? "UTF-16" : "ISO-8859-1"));
        }
    }

    private static boolean isUtf16(ByteBuffer line) {
        return line.limit() >= 2 && ((line.get(0) & line.get(1)) & 0xFF) == 0xFE;
    }

    /** A line that is no text; the message begins in lower case, to go after the place. */
    static final class MalformedLineException extends IOException {
        private static final long serialVersionUID = 1L;

        MalformedLineException(String message) {
            super(message);
        }
    }
}
