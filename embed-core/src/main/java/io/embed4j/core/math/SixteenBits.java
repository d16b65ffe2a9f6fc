// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import io.embed4j.spec.DType;

/** IEEE binary16 and bfloat16, to and from binary32. Java 20 has the former in Float; embed4j runs on 17. */
public final class SixteenBits {
    /** The largest finite binary16. */
    public static final float MAX_HALF = 65504;

    private static final int FLOAT_BIAS = 127;
    private static final int HALF_BIAS = 15;
    private static final int HALF_INFINITY = 0x7c00;
    /** From here on a binary32 rounds to the infinity of binary16. */
    private static final float HALF_OVERFLOW = 65520;

    private SixteenBits() {}

    /**
     * Rounds to the nearest number of a type, ties to even.
     *
     * @param value any number
     * @param type FP16, BF16, or FP32, which changes nothing
     * @return the rounded number; infinite where the type has none so large
     */
    public static float round(float value, DType type) {
        return switch (type) {
            case FP32 -> value;
            case FP16 -> halfToFloat(floatToHalf(value));
            case BF16 -> bfloatToFloat(floatToBfloat(value));
            default -> throw new IllegalArgumentException(type + " is no floating point type of 16 or 32 bits.");
        };
    }

    /** Binary16 to binary32, exactly. */
    public static float halfToFloat(short half) {
        int sign = (half & 0x8000) << 16;
        int exponent = (half >> 10) & 0x1f;
        int mantissa = half & 0x3ff;
        if (exponent == 0) {
            float magnitude = mantissa * 0x1p-24f;
            return sign == 0 ? magnitude : -magnitude;
        }
        int bits = exponent == 31 ? 0x7f800000 : (exponent + FLOAT_BIAS - HALF_BIAS) << 23;
        return Float.intBitsToFloat(sign | bits | (mantissa << 13));
    }

    /** Binary32 to the nearest binary16, ties to even. */
    public static short floatToHalf(float value) {
        int sign = (Float.floatToRawIntBits(value) >>> 16) & 0x8000;
        float magnitude = Math.abs(value);
        if (Float.isNaN(value)) {
            return (short) (sign | 0x7e00);
        }
        if (magnitude >= HALF_OVERFLOW) {
            return (short) (sign | HALF_INFINITY);
        }
        if (magnitude < 0x1p-14f) {
            // Subnormal: multiples of 2^-24. Scaling by a power of two is exact, and rint rounds ties to even.
            return (short) (sign | (int) Math.rint(magnitude * 0x1p24f));
        }
        int bits = Float.floatToRawIntBits(magnitude) - ((FLOAT_BIAS - HALF_BIAS) << 23);
        return (short) (sign | roundedShift(bits, 13));
    }

    /** Bfloat16 to binary32, exactly. */
    public static float bfloatToFloat(short bfloat) {
        return Float.intBitsToFloat(bfloat << 16);
    }

    /** Binary32 to the nearest bfloat16, ties to even. */
    public static short floatToBfloat(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) (((bits >>> 31) << 15) | roundedShift(bits & 0x7fffffff, 16));
    }

    private static int roundedShift(int bits, int by) {
        int half = (1 << (by - 1)) - 1;
        return (bits + half + ((bits >>> by) & 1)) >>> by;
    }
}
