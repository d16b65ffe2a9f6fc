// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A graphics card by its published data, for which fit reports can be made where it is not: {@link Fit#planOn}.
 *
 * <pre>{@code
 * GpuCard card = GpuCard.named("rtx 3060 12gb");
 * if (!card.computeCapability().equals("8.6") || card.memoryBytes() != 12_000_000_000L) throw new AssertionError(card);
 * }</pre>
 *
 * @param name as {@link #named} knows it, without maker
 * @param memoryBytes memory, a gigabyte taken as 10^9 bytes: drivers and error correction keep the rest
 * @param bandwidth bytes per second of its memory; null if no source was found
 * @param fp16Rate dense fp16 products on tensor cores, operations per second, with fp32 sums where the source tells them
 *     apart; null if no source was found
 * @param computeCapability CUDA's, for instance 8.6
 * @param source where the numbers were read
 * @since 0.1
 */
public record GpuCard(
        String name,
        long memoryBytes,
        @Nullable Double bandwidth,
        @Nullable Double fp16Rate,
        String computeCapability,
        String source)
        implements Serializable {

    private static final long serialVersionUID = 1L;

    /**
     * Finds a card.
     *
     * @param name its name, in any case, with or without "NVIDIA" and "GeForce"
     * @return the card
     * @throws IllegalArgumentException if it is unknown, or several cards have the name; the message lists those known
     */
    public static GpuCard named(String name) {
        return EmbedderFactory.find().gpuCard(name);
    }

    /**
     * Returns every card in the table.
     *
     * @return smallest compute capability first
     */
    public static List<GpuCard> all() {
        return EmbedderFactory.find().gpuCards();
    }

    /** The name. */
    @Override
    public String toString() {
        return name;
    }
}
