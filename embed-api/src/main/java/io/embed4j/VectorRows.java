// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;

/**
 * Vectors from anywhere, read once and piece by piece: arrays, {@link Embeddings}, an iterator, a file. For one thread at a time.
 *
 * <pre>{@code
 * Iterator<float[]> generated = java.util.stream.Stream.of(new float[] {1, 0}, new float[] {0, 1}).iterator();
 * try (VectorIndex index = VectorIndex.create(2); VectorRows rows = VectorRows.of(2, generated)) {
 *     index.add(rows);
 *     if (index.size() != 2) throw new AssertionError();
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface VectorRows extends AutoCloseable {

    /**
     * Returns the length of each vector.
     *
     * @return D
     */
    int dimension();

    /**
     * Reads the next rows, as many as there are and as have room.
     *
     * @param out gets [n, D]; its position moves behind them
     * @return n; 0 at the end
     * @throws IllegalArgumentException if a row has another length; the message names it
     * @throws ModelFormatException if a file cannot be read
     */
    int read(FloatBuffer out);

    /** Lets go of what was opened. */
    @Override
    default void close() {}

    /**
     * Rows of an array.
     *
     * @param dimension D
     * @param rows [N][D]
     * @return the rows
     */
    static VectorRows of(int dimension, float[][] rows) {
        return of(dimension, Arrays.asList(rows).iterator());
    }

    /**
     * Vectors of texts.
     *
     * @param rows [N, D]
     * @return the rows
     */
    static VectorRows of(Embeddings rows) {
        FloatBuffer values = rows.values();
        return new VectorRows() {
            @Override
            public int dimension() {
                return rows.dimension();
            }

            @Override
            public int read(FloatBuffer out) {
                int count = Math.min(values.remaining(), out.remaining()) / rows.dimension();
                FloatBuffer piece = values.slice(values.position(), count * rows.dimension());
                values.position(values.position() + piece.remaining());
                out.put(piece);
                return count;
            }
        };
    }

    /**
     * Rows as they come.
     *
     * @param dimension D
     * @param rows each [D]; pulled as they are needed
     * @return the rows
     */
    static VectorRows of(int dimension, Iterator<float[]> rows) {
        return new VectorRows() {
            private long next;

            @Override
            public int dimension() {
                return dimension;
            }

            @Override
            public int read(FloatBuffer out) {
                int count = 0;
                while (out.remaining() >= dimension && rows.hasNext()) {
                    float[] row = rows.next();
                    if (row.length != dimension) {
                        throw new IllegalArgumentException(
                                "Vector " + next + " has " + row.length + " numbers, expected " + dimension + ".");
                    }
                    out.put(row);
                    next++;
                    count++;
                }
                return count;
            }
        };
    }

    /**
     * Rows of a file: {@code .npy} with an array [N, D], or {@code .safetensors} with one tensor [N, D]; fp64, fp32, fp16 or,
     * in safetensors, bf16, in C order.
     *
     * @param file the file
     * @return the rows; the caller closes them
     * @throws ModelFormatException if it cannot be read, or holds something else
     */
    static VectorRows open(Path file) {
        return EmbedderFactory.find().openRows(file, "");
    }

    /**
     * Rows of a tensor in a {@code .safetensors} file.
     *
     * @param file the file
     * @param tensor the tensor's name
     * @return the rows; the caller closes them
     * @throws ModelFormatException if it cannot be read, or the tensor is no [N, D] of floats
     */
    static VectorRows open(Path file, String tensor) {
        return EmbedderFactory.find().openRows(file, tensor);
    }
}
