// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.spec.DType;
import java.util.List;

/**
 * One weight: its shape as PyTorch would have it, and where its bytes lie.
 *
 * <pre>{@code
 * WeightTensor weight = new WeightTensor(
 *         "encoder.layer.0.attention.self.query.weight",
 *         DType.FP32,
 *         List.of(384, 384),
 *         true,
 *         new FileRegion(java.nio.file.Path.of("model.onnx"), 4096, 589_824));
 * if (weight.elements() != 147_456) throw new AssertionError();
 * }</pre>
 *
 * @param name the parameter's name in the model's files, for messages
 * @param type how it is stored
 * @param shape sizes, outermost first; [out, in] for linear layers
 * @param transposed whether the bytes hold [in, out] instead, as ONNX graphs do
 * @param region where the bytes lie
 * @since 0.1
 */
public record WeightTensor(String name, DType type, List<Integer> shape, boolean transposed, FileRegion region) {

    /** Copies the shape and checks it against the bytes. */
    public WeightTensor {
        shape = List.copyOf(shape);
        if (bytes(shape, type) != region.length()) {
            throw new IllegalArgumentException(
                    name + " of shape " + shape + " in " + type + " cannot have " + region.length() + " bytes.");
        }
    }

    /** Bytes of a tensor; -1 for a negative size, and for more than a long can hold. */
    private static long bytes(List<Integer> shape, DType type) {
        try {
            long bytes = type.bytes();
            for (int size : shape) {
                if (size < 0) {
                    return -1;
                }
                bytes = Math.multiplyExact(bytes, size);
            }
            return bytes;
        } catch (ArithmeticException e) {
            return -1;
        }
    }

    /**
     * Returns how many numbers there are.
     *
     * @return the product of the shape
     */
    public long elements() {
        return region.length() / type.bytes();
    }
}
