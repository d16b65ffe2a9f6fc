// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;

/** Writes JSON through a buffer of its own; numbers are the shortest that read back as the same float. */
final class JsonBytes {
    private final OutputStream out;
    private final byte[] buffer = new byte[1 << 16];
    private int length;

    /**
     * Starts with nothing written.
     *
     * @param out gets the bytes; stays open
     */
    JsonBytes(OutputStream out) {
        this.out = out;
    }

    /**
     * Writes text as it is.
     *
     * @param text short, ASCII
     */
    void ascii(String text) throws IOException {
        room(text.length());
        for (int i = 0; i < text.length(); i++) {
            buffer[length++] = (byte) text.charAt(i);
        }
    }

    /**
     * Writes an array of numbers.
     *
     * @param vector [D], finite
     */
    void array(float[] vector) throws IOException {
        for (int i = 0; i < vector.length; i++) {
            if (!Float.isFinite(vector[i])) {
                throw new IOException(String.format(
                        Locale.ROOT, "number %d of a vector is %s, which JSON cannot hold", i, vector[i]));
            }
            room(ShortestFloat.MAX_BYTES + 1);
            buffer[length++] = (byte) (i == 0 ? '[' : ',');
            length = ShortestFloat.put(vector[i], buffer, length);
        }
        ascii(vector.length == 0 ? "[]" : "]");
    }

    void flush() throws IOException {
        out.write(buffer, 0, length);
        length = 0;
        out.flush();
    }

    private void room(int bytes) throws IOException {
        if (buffer.length - length < bytes) {
            out.write(buffer, 0, length);
            length = 0;
        }
    }
}
