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
        long elements = 1;
        for (int size : shape) {
            if (size < 0) {
                throw new IllegalArgumentException(name + " cannot have the shape " + shape + ".");
            }
            elements = Math.multiplyExact(elements, size);
        }
        if (Math.multiplyExact(elements, type.bytes()) != region.length()) {
            throw new IllegalArgumentException(
                    name + " of shape " + shape + " in " + type + " cannot have " + region.length() + " bytes.");
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
