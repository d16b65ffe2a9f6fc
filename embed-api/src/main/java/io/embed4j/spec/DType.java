// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * How one number is stored.
 *
 * <pre>{@code
 * long bytes = 384L * DType.FP16.bytes();
 * if (bytes != 768) throw new AssertionError();
 * }</pre>
 *
 * @since 0.1
 */
public enum DType {
    /** IEEE 754 binary64. */
    FP64(8),
    /** IEEE 754 binary32. */
    FP32(4),
    /** IEEE 754 binary16. */
    FP16(2),
    /** The upper half of a binary32. */
    BF16(2),
    /** Signed 64-bit integer. */
    INT64(8),
    /** Signed 32-bit integer. */
    INT32(4),
    /** Signed 8-bit integer. */
    INT8(1),
    /** Unsigned 8-bit integer. */
    UINT8(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /**
     * Returns the size of one element.
     *
     * @return bytes per element
     */
    public int bytes() {
        return bytes;
    }

    /**
     * Tells whether values of this type are floating point numbers.
     *
     * @return true for FP64, FP32, FP16 and BF16
     */
    public boolean isFloatingPoint() {
        return this == FP64 || this == FP32 || this == FP16 || this == BF16;
    }
}
