// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/** Unit vectors in random directions, [N, D] in fp32, as numpy's save writes them. */
final class RandomVectors {
    private RandomVectors() {}

    /**
     * Writes a file.
     *
     * @param file must not be there
     * @param rows N
     * @param dimension D
     * @param seed the same vectors for the same seed
     */
    static void write(Path file, int rows, int dimension, long seed) {
        String header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + rows + ", " + dimension + "), }";
        header += " ".repeat(Math.floorMod(-(10 + header.length() + 1), 64)) + "\n";
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            ByteBuffer start = ByteBuffer.allocate(10 + header.length()).order(ByteOrder.LITTLE_ENDIAN);
            start.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0}).putShort((short) header.length());
            channel.write(start.put(header.getBytes(StandardCharsets.US_ASCII)).flip());
            SplittableRandom random = new SplittableRandom(seed);
            ByteBuffer bytes = ByteBuffer.allocate(dimension * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            double[] row = new double[dimension];
            for (int r = 0; r < rows; r++) {
                double square = 0;
                for (int i = 0; i < dimension; i++) {
                    row[i] = random.nextGaussian();
                    square += row[i] * row[i];
                }
                bytes.clear();
                for (double value : row) {
                    bytes.putFloat((float) (value / Math.sqrt(square)));
                }
                channel.write(bytes.flip());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
