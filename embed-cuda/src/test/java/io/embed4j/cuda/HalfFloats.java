// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** fp16 for files. */
public final class HalfFloats {
    private HalfFloats() {}

    /**
     * Rounds to the nearest, ties to even.
     *
     * @param values any numbers
     * @return 2 bytes each, little-endian
     */
    public static byte[] bytes(float[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(values.length * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < values.length; i++) {
            StorageFormat.write(DType.FP16, buffer, i, values[i]);
        }
        return buffer.array();
    }
}
