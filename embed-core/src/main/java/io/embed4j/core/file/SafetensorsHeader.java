// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.spec.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The beginning of a safetensors file: 8 bytes with the length of a JSON text in little-endian order, and that text, filled
 * up with spaces so that the numbers behind it begin at a multiple of 64. Tensors follow each other without gaps.
 */
public final class SafetensorsHeader {
    private static final int ALIGNMENT = 64;

    private final JsonObject json = new JsonObject();
    private long end;

    /**
     * Adds a tensor behind those that there are.
     *
     * @param name its name
     * @param type fp32, int64 or uint8
     * @param shape its sizes
     * @return this
     */
    public SafetensorsHeader add(String name, DType type, long... shape) {
        long bytes = type.bytes();
        JsonArray sizes = new JsonArray();
        for (long size : shape) {
            bytes *= size;
            sizes.add(size);
        }
        JsonArray offsets = new JsonArray();
        offsets.add(end);
        end += bytes;
        offsets.add(end);
        JsonObject tensor = new JsonObject();
        tensor.addProperty("dtype", name(type));
        tensor.add("shape", sizes);
        tensor.add("data_offsets", offsets);
        json.add(name, tensor);
        return this;
    }

    private static String name(DType type) {
        return switch (type) {
            case FP32 -> "F32";
            case INT64 -> "I64";
            case UINT8 -> "U8";
            default -> throw new IllegalArgumentException(type + " is not written.");
        };
    }

    /**
     * Returns the bytes that go before those of the tensors.
     *
     * @return positioned at 0
     */
    public ByteBuffer toBytes() {
        byte[] text = json.toString().getBytes(StandardCharsets.UTF_8);
        int padding = Math.floorMod(-(Long.BYTES + text.length), ALIGNMENT);
        byte[] spaces = " ".repeat(padding).getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(Long.BYTES + text.length + padding)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(text.length + padding)
                .put(text)
                .put(spaces)
                .flip();
    }
}
