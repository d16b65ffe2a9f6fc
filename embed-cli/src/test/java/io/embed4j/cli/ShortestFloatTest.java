// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShortestFloatTest {

    @ParameterizedTest
    @CsvSource({
        "0, 0.0",
        "-0f, -0.0",
        "1, 1.0",
        "-1, -1.0",
        "0.1, 0.1",
        "0.3, 0.3",
        "10, 10.0",
        "1234.5, 1234.5",
        "16777216, 16777216.0",
        "1e8, 100000000.0",
        "1e9, 1e9",
        "0.001, 0.001",
        "0.0001, 0.0001",
        "0.00012345678, 0.00012345678",
        "0.00001, 1e-5",
        "2e-3, 0.002",
        "1.5e-8, 1.5e-8",
        "1e23, 1e23",
        "3.4028235e38, 3.4028235e38",
        "1.1754944e-38, 1.1754944e-38",
        "1.4e-45, 1e-45",
    })
    void writesWhatPeopleWrite(String value, String expected) {
        assertThat(text(Float.parseFloat(value))).isEqualTo(expected);
    }

    /** Every power of two and its neighbours, sizes of all kinds, and the numbers of unit vectors. */
    @Test
    void isTheShortestThatReadsBack() {
        for (int exponent = -149; exponent <= 127; exponent++) {
            float power = Math.scalb(1f, exponent);
            check(power);
            check(Math.nextDown(power));
            check(Math.nextUp(power));
        }
        Random random = new Random(7);
        for (int i = 0; i < 20_000; i++) {
            check(Float.intBitsToFloat(random.nextInt(0x7F800000)));
            check((float) random.nextGaussian() / 20);
            check(random.nextInt(100_000) / 1000f);
            check((float) random.nextInt());
        }
    }

    @Test
    void readsBackAcrossTheWholeRange() {
        for (long bits = 1; bits < 0x7F800000L; bits += 9973) {
            float value = Float.intBitsToFloat((int) bits);
            if (Float.parseFloat(text(value)) != value) {
                throw new AssertionError(value + " became " + text(value));
            }
        }
    }

    private static void check(float value) {
        if (value == 0 || !Float.isFinite(value)) {
            return;
        }
        BigDecimal expected = ShortestFloat.shortestExactly(Math.abs(value));
        BigDecimal found = new BigDecimal(text(Math.abs(value)));
        if (found.compareTo(expected) != 0) {
            throw new AssertionError(value + ": " + found + " instead of " + expected);
        }
        assertThat(Float.parseFloat(text(value))).isEqualTo(value);
    }

    private static String text(float value) {
        byte[] bytes = new byte[ShortestFloat.MAX_BYTES];
        int length = ShortestFloat.put(value, bytes, 0);
        return new String(bytes, 0, length, StandardCharsets.US_ASCII);
    }
}
