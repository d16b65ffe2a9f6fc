// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.DType;
import java.nio.ByteBuffer;

/** Numbers in the types that kernels store, written out by the definition of the formats. */
final class StorageFormat {
    private static final int FP16_FRACTION_BITS = 10;
    private static final int FP16_MIN_EXPONENT = -14;
    private static final double FP16_MAX = 65504;

    private StorageFormat() {}

    /** Rounds to the type and writes element i; returns the rounded number. */
    static double write(DType type, ByteBuffer buffer, int i, double value) {
        int offset = i * type.bytes();
        switch (type) {
            case FP64 -> buffer.putDouble(offset, value);
            case FP32 -> buffer.putFloat(offset, (float) value);
            case FP16 -> buffer.putShort(offset, toHalf(value));
            case BF16 -> buffer.putShort(offset, toBrain((float) value));
            case INT32 -> buffer.putInt(offset, (int) value);
            default -> throw new IllegalArgumentException("Kernels do not store " + type + ".");
        }
        return read(type, buffer, i);
    }

    /** The number of the type that is next. */
    static double rounded(DType type, double value) {
        return write(type, ByteBuffer.allocate(Double.BYTES), 0, value);
    }

    /** Element i. */
    static double read(DType type, ByteBuffer buffer, int i) {
        int offset = i * type.bytes();
        return switch (type) {
            case FP64 -> buffer.getDouble(offset);
            case FP32 -> buffer.getFloat(offset);
            case FP16 -> fromHalf(buffer.getShort(offset));
            case BF16 -> Float.intBitsToFloat(buffer.getShort(offset) << 16);
            case INT32 -> buffer.getInt(offset);
            default -> throw new IllegalArgumentException("Kernels do not store " + type + ".");
        };
    }

    /** Largest relative error of rounding to the type. */
    static double roundingError(DType type) {
        return switch (type) {
            case FP32 -> 0x1p-24;
            case FP16 -> 0x1p-11;
            case BF16 -> 0x1p-8;
            default -> throw new IllegalArgumentException("Kernels do not store " + type + ".");
        };
    }

    private static short toHalf(double value) {
        int sign = value < 0 ? 0x8000 : 0;
        double magnitude = Math.abs(value);
        int exponent = Math.max(Math.getExponent(magnitude), FP16_MIN_EXPONENT);
        // In units of the last place: rint rounds ties to even, as the device does.
        double units = Math.rint(Math.scalb(magnitude, FP16_FRACTION_BITS - exponent));
        if (Math.scalb(units, exponent - FP16_FRACTION_BITS) > FP16_MAX) {
            return (short) (sign | 0x7c00);
        }
        // A unit count of 2^10 or more carries the implied bit into the exponent field by itself.
        return (short) (sign | (((exponent - FP16_MIN_EXPONENT) << FP16_FRACTION_BITS) + (int) units));
    }

    private static double fromHalf(short bits) {
        int exponent = (bits >> FP16_FRACTION_BITS) & 0x1f;
        int fraction = bits & 0x3ff;
        double magnitude = exponent == 0x1f
                ? fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN
                : exponent == 0
                        ? Math.scalb((double) fraction, FP16_MIN_EXPONENT - FP16_FRACTION_BITS)
                        : Math.scalb(1024.0 + fraction, exponent - 1 + FP16_MIN_EXPONENT - FP16_FRACTION_BITS);
        return bits < 0 ? -magnitude : magnitude;
    }

    private static short toBrain(float value) {
        int bits = Float.floatToIntBits(value);
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }
}
