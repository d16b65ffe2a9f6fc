// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import io.embed4j.ModelFormatException;
import io.embed4j.spec.DType;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/** Reads a weight into an array, whatever its storage. What backends need as it is stored they map themselves. */
public final class WeightReader {
    private WeightReader() {}

    /**
     * Reads a weight.
     *
     * @param weight a floating point tensor
     * @return its numbers in the order of its shape, [out, in] for linear layers however they are stored
     * @throws ModelFormatException if the file cannot be read
     */
    public static float[] read(WeightTensor weight) {
        float[] values = new float[Math.toIntExact(weight.elements())];
        FloatBuffer out = FloatBuffer.wrap(values);
        try {
            weight.region().read(piece -> widen(weight, piece, out));
        } catch (IOException e) {
            throw new ModelFormatException("Weight " + weight.name() + " cannot be read: " + e.getMessage(), e);
        }
        return weight.transposed()
                ? transpose(values, weight.shape().get(1), weight.shape().get(0))
                : values;
    }

    private static void widen(WeightTensor weight, ByteBuffer bytes, FloatBuffer out) {
        if (weight.type() == DType.FP32) {
            out.put(bytes.asFloatBuffer());
            return;
        }
        while (bytes.hasRemaining()) {
            out.put(
                    switch (weight.type()) {
                        case FP64 -> (float) bytes.getDouble();
                        case FP16 -> SixteenBits.halfToFloat(bytes.getShort());
                        case BF16 -> SixteenBits.bfloatToFloat(bytes.getShort());
                        default ->
                            throw new ModelFormatException(
                                    "Weight " + weight.name() + " is stored as " + weight.type() + ", not as floats.");
                    });
        }
    }

    private static float[] transpose(float[] values, int rows, int columns) {
        float[] transposed = new float[values.length];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                transposed[column * rows + row] = values[row * columns + column];
            }
        }
        return transposed;
    }
}
