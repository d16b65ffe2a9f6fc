// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * The precision in which a model runs. The default is {@link #FP32} on every device. The CPU offers fp32 and int8;
 * CUDA offers fp32, fp16 and bf16. What a device does not offer is refused, never replaced.
 *
 * <pre>{@code
 * Precision precision = Precision.parse("fp16");
 * }</pre>
 *
 * @since 0.1
 */
public enum Precision {
    /** fp16 on a GPU (bf16 or fp32 for models that overflow fp16), fp32 on the CPU. */
    AUTO,
    /** 32-bit floating point. */
    FP32,
    /** 16-bit floating point storage, fp32 accumulation. */
    FP16,
    /** bfloat16 storage, fp32 accumulation. */
    BF16,
    /** 8-bit integer weights; on the CPU activations are quantized per row. */
    INT8,
    /** 4-bit integer weights. No device runs it yet; fit reports tell its size. */
    INT4;

    /**
     * Reads a precision as users write it.
     *
     * @param text auto, fp32, fp16, bf16, int8 or int4, in any case
     * @return the precision
     * @throws IllegalArgumentException if the text is none of these
     */
    public static Precision parse(String text) {
        for (Precision precision : values()) {
            if (precision.name().equalsIgnoreCase(text)) {
                return precision;
            }
        }
        throw new IllegalArgumentException("Unknown precision \"" + text + "\". Use auto, fp32, fp16, bf16 or int8.");
    }

    /** The name as users write it, for instance {@code fp32}. */
    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
