// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;

/**
 * Bytes in a file, so that several readers can map the same ones.
 *
 * <pre>{@code
 * java.nio.file.Path file = java.nio.file.Files.write(java.nio.file.Files.createTempFile("region", ".bin"), new byte[] {1, 2, 3});
 * if (new FileRegion(file, 1, 2).map().get(0) != 2) throw new AssertionError();
 * }</pre>
 *
 * @param file the real path, without symbolic links
 * @param offset first byte
 * @param length bytes
 * @since 0.1
 */
public record FileRegion(Path file, long offset, long length) {
    /** A multiple of the size of every number. */
    private static final int PIECE_BYTES = 1 << 16;

    /** Checks the values. */
    public FileRegion {
        if (offset < 0 || length < 0) {
            throw new IllegalArgumentException("A file region cannot lie at " + offset + " + " + length + ".");
        }
    }

    /**
     * Maps the bytes read-only, little-endian. The mapping goes when the buffer is garbage.
     *
     * @return the bytes, positioned at 0
     * @throws IOException if the file cannot be read, or is shorter than the region
     */
    public ByteBuffer map() throws IOException {
        if (length > Integer.MAX_VALUE) {
            throw new IOException("A weight of " + length + " bytes in " + file + " is larger than a buffer can hold.");
        }
        try (FileChannel channel = open()) {
            return channel.map(FileChannel.MapMode.READ_ONLY, offset, length).order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    /**
     * Reads the bytes once, from the first to the last, so that nothing of them stays in the process's memory.
     *
     * @param sink takes one piece after the other, little-endian, between position and limit; a number never lies in two
     *     pieces, and a piece is overwritten by the next
     * @throws IOException if the file cannot be read, or is shorter than the region
     */
    public void read(Consumer<ByteBuffer> sink) throws IOException {
        try (FileChannel channel = open()) {
            ByteBuffer piece =
                    ByteBuffer.allocate((int) Math.min(PIECE_BYTES, length)).order(ByteOrder.LITTLE_ENDIAN);
            for (long done = 0; done < length; done += piece.limit()) {
                piece.clear().limit((int) Math.min(PIECE_BYTES, length - done));
                while (piece.hasRemaining()) {
                    if (channel.read(piece, offset + done + piece.position()) < 0) {
                        throw new EOFException(file + " ends within a weight: it was cut while it was read.");
                    }
                }
                sink.accept(piece.flip());
            }
        }
    }

    private FileChannel open() throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        long size = channel.size();
        if (offset > size - length) {
            channel.close();
            throw new IOException(file + " has " + size + " bytes, but a weight ends at " + (offset + length)
                    + ". The file was cut after it was opened.");
        }
        return channel;
    }
}
