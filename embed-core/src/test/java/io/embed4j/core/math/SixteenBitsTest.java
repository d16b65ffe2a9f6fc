// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.spec.DType;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SixteenBitsTest {

    /** IEEE 754 binary16 by its definition: sign, 5 bits of exponent biased by 15, 10 bits of fraction. */
    private static float halfByDefinition(int bits) {
        int sign = bits < 0x8000 ? 1 : -1;
        int exponent = bits / 1024 % 32;
        int fraction = bits % 1024;
        if (exponent == 31) {
            return fraction == 0 ? sign * Float.POSITIVE_INFINITY : Float.NaN;
        }
        return exponent == 0
                ? (float) (sign * fraction * Math.pow(2, -24))
                : (float) (sign * (1 + fraction / 1024.0) * Math.pow(2, exponent - 15));
    }

    @Test
    void everyHalfIsWhatItsBitsMean() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            float expected = halfByDefinition(bits);
            float found = SixteenBits.halfToFloat((short) bits);
            if (bits == 0x8000) {
                assertThat(Float.floatToIntBits(found)).as("minus zero").isEqualTo(0x8000_0000);
            } else if (Float.floatToIntBits(found) != Float.floatToIntBits(expected)) {
                throw new AssertionError(Integer.toHexString(bits) + " is " + expected + ", found " + found);
            }
        }
    }

    @Test
    void whatIsSixteenBitsComesBack() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            float half = SixteenBits.halfToFloat((short) bits);
            float bfloat = SixteenBits.bfloatToFloat((short) bits);
            assertThat(Float.isNaN(half) || SixteenBits.floatToHalf(half) == (short) bits)
                    .isTrue();
            assertThat(Float.isNaN(bfloat) || SixteenBits.floatToBfloat(bfloat) == (short) bits)
                    .isTrue();
        }
        assertThat(SixteenBits.halfToFloat(SixteenBits.floatToHalf(Float.NaN))).isNaN();
        assertThat(SixteenBits.bfloatToFloat(SixteenBits.floatToBfloat(Float.intBitsToFloat(0x7f800001))))
                .isNaN();
    }

    /** Of two neighbours the nearer is taken, in the middle the one with an even last bit. */
    @Test
    void roundingIsToNearestEven() {
        Random random = new Random(1);
        for (int round = 0; round < 200_000; round++) {
            short bits = (short) random.nextInt();
            check(SixteenBits.halfToFloat(bits), SixteenBits.halfToFloat((short) (bits + 1)), bits, DType.FP16, random);
            check(
                    SixteenBits.bfloatToFloat(bits),
                    SixteenBits.bfloatToFloat((short) (bits + 1)),
                    bits,
                    DType.BF16,
                    random);
        }
        assertThat(SixteenBits.round(65519.996f, DType.FP16)).isEqualTo(65504);
        assertThat(SixteenBits.round(-65520, DType.FP16)).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(SixteenBits.round(Float.MAX_VALUE, DType.BF16)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(SixteenBits.round(0.1f, DType.FP32)).isEqualTo(0.1f);
        assertThatThrownBy(() -> SixteenBits.round(1, DType.INT8)).isInstanceOf(IllegalArgumentException.class);
    }

    private static void check(float low, float high, short lowBits, DType type, Random random) {
        if (!Float.isFinite(low) || !Float.isFinite(high) || low * high < 0) {
            return;
        }
        double middle = ((double) low + high) / 2;
        float even = (lowBits & 1) == 0 ? low : high;
        if ((float) middle == middle) {
            assertThat(SixteenBits.round((float) middle, type)).isEqualTo(even);
        }
        float between = (float) (low + random.nextDouble() * ((double) high - low));
        if (between != middle) {
            boolean nearerLow = Math.abs(between - (double) low) < Math.abs((double) high - between);
            assertThat(SixteenBits.round(between, type)).isEqualTo(nearerLow ? low : high);
        }
    }
}
