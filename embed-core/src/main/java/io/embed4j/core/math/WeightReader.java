// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import io.embed4j.ModelFormatException;
import io.embed4j.spec.DType;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads a weight into an array, whatever its storage. For small weights: backends map large ones themselves. */
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
        ByteBuffer bytes;
        try {
            bytes = weight.region().map();
        } catch (IOException e) {
            throw new ModelFormatException("Weight " + weight.name() + " cannot be read: " + e.getMessage(), e);
        }
        float[] values = new float[Math.toIntExact(weight.elements())];
        if (weight.type() == DType.FP32) {
            bytes.asFloatBuffer().get(values);
        } else {
            widen(weight, bytes, values);
        }
        return weight.transposed()
                ? transpose(values, weight.shape().get(1), weight.shape().get(0))
                : values;
    }

    private static void widen(WeightTensor weight, ByteBuffer bytes, float[] values) {
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (weight.type()) {
                case FP64 -> (float) bytes.getDouble();
                case FP16 -> SixteenBits.halfToFloat(bytes.getShort());
                case BF16 -> SixteenBits.bfloatToFloat(bytes.getShort());
                default ->
                    throw new ModelFormatException(
                            "Weight " + weight.name() + " is stored as " + weight.type() + ", not as floats.");
            };
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
