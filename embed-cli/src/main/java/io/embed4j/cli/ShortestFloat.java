// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;

/**
 * The decimal with the fewest digits that reads back as the same float, nearest to it among those. Java's own
 * {@link Float#toString(float)} promises that only from version 19 on, and is slower.
 *
 * <p>The idea: within 1e-12..1e9 a product or quotient of a float, or of an integer below 2^53, and a power of ten up to
 * 10^22 is one double operation, wrong by at most 2^-53 of its size. So the rounding of x to p digits and the reading back
 * are exact, except within 1e-6 of a tie or exactly between two floats: those, powers of two (whose lower neighbour is
 * nearer) and all other sizes go through {@link BigDecimal}. A decimal of six digits or fewer that reads back is also the
 * rounding of x to six digits, since it is nearer to x than half a step of those: so the search begins there.
 */
final class ShortestFloat {
    /** Longest result: {@code -1.17549435e-38}. */
    static final int MAX_BYTES = 16;

    private static final int MAX_DIGITS = 9;
    private static final int FIRST_DIGITS = 6;
    private static final long UNDECIDED = -1;
    private static final double[] POWERS = new double[23];

    static {
        double power = 1;
        for (int i = 0; i < POWERS.length; i++) {
            POWERS[i] = power;
            power *= 10; // exact up to 10^22
        }
    }

    private ShortestFloat() {}

    /**
     * Writes a number as JSON: {@code 0.5}, {@code -1.5e-8}.
     *
     * @param value finite
     * @param out gets at most {@link #MAX_BYTES} bytes
     * @param at where
     * @return where the number ends
     */
    static int put(float value, byte[] out, int at) {
        int bits = Float.floatToRawIntBits(value);
        int end = at;
        if (bits < 0) {
            out[end++] = '-';
        }
        float magnitude = Math.abs(value);
        if (magnitude == 0) {
            out[end++] = '0';
            out[end++] = '.';
            out[end++] = '0';
            return end;
        }
        boolean powerOfTwo = (bits & 0x7FFFFF) == 0;
        if (!powerOfTwo && magnitude > 1e-12f && magnitude < 1e9f) {
            int exponent = decimalExponent(magnitude);
            for (int digits = FIRST_DIGITS; digits <= MAX_DIGITS; digits++) {
                long rounded = roundedDigits(magnitude, digits - 1 - exponent);
                if (rounded == UNDECIDED) {
                    break;
                }
                if (rounded > 0) {
                    return putDecimal(rounded, exponent - digits + 1, out, end);
                }
            }
        }
        BigDecimal decimal = shortestExactly(magnitude);
        return putDecimal(decimal.unscaledValue().longValueExact(), -decimal.scale(), out, end);
    }

    private static int decimalExponent(double magnitude) {
        return (int) Math.floor(Math.log10(magnitude));
    }

    /**
     * Rounds to an integer times 10^-scale.
     *
     * @return the integer if it reads back as the same float, 0 if not, {@link #UNDECIDED} if doubles cannot tell
     */
    private static long roundedDigits(float magnitude, int scale) {
        double power = POWERS[Math.abs(scale)];
        double scaled = scale >= 0 ? magnitude * power : magnitude / power;
        double rounded = Math.rint(scaled);
        if (Math.abs(scaled - rounded) > 0.5 - 1e-6) {
            return UNDECIDED;
        }
        double back = scale >= 0 ? rounded / power : rounded * power;
        boolean betweenTwoFloats = (Double.doubleToRawLongBits(back) & 0x1FFFFFFF) == 0x10000000;
        if (betweenTwoFloats) {
            return UNDECIDED;
        }
        return (float) back == magnitude ? (long) rounded : 0;
    }

    /** The obvious way, for any positive number. */
    static BigDecimal shortestExactly(float magnitude) {
        BigDecimal exact = new BigDecimal(magnitude);
        for (int digits = 1; digits <= MAX_DIGITS; digits++) {
            for (RoundingMode mode :
                    new RoundingMode[] {RoundingMode.HALF_EVEN, RoundingMode.FLOOR, RoundingMode.CEILING}) {
                BigDecimal decimal = exact.round(new MathContext(digits, mode));
                if (Float.parseFloat(decimal.toString()) == magnitude) {
                    return decimal;
                }
            }
        }
        throw new AssertionError("Nine digits tell any two floats apart, but not " + exact + ".");
    }

    private static int putDecimal(long integer, int exponent, byte[] out, int at) {
        while (integer % 10 == 0) {
            integer /= 10;
            exponent++;
        }
        byte[] digits = Long.toString(integer).getBytes(StandardCharsets.US_ASCII);
        int point = digits.length + exponent; // digits before the decimal point
        int end = at;
        if (point > 0 && point <= MAX_DIGITS) {
            for (int i = 0; i < Math.max(point, digits.length); i++) {
                if (i == point) {
                    out[end++] = '.';
                }
                out[end++] = i < digits.length ? digits[i] : (byte) '0';
            }
            return point >= digits.length ? putAscii(".0", out, end) : end;
        }
        if (point <= 0 && point > -4) {
            end = putAscii("0.", out, end);
            for (int i = point; i < 0; i++) {
                out[end++] = '0';
            }
            System.arraycopy(digits, 0, out, end, digits.length);
            return end + digits.length;
        }
        out[end++] = digits[0];
        if (digits.length > 1) {
            out[end++] = '.';
            System.arraycopy(digits, 1, out, end, digits.length - 1);
            end += digits.length - 1;
        }
        return putAscii("e" + (point - 1), out, end);
    }

    private static int putAscii(String text, byte[] out, int at) {
        for (int i = 0; i < text.length(); i++) {
            out[at + i] = (byte) text.charAt(i);
        }
        return at + text.length();
    }
}
