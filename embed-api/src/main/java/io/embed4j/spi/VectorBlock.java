// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.spec.DType;
import java.nio.FloatBuffer;

/**
 * Vectors where they were computed, [rows, dimension] row-major, so that they can go from encoder to index without
 * leaving the device.
 *
 * <pre>{@code
 * Function<VectorBlock, float[]> toHost = block -> {
 *     FloatBuffer out = FloatBuffer.allocate(block.rows() * block.dimension());
 *     block.copyTo(out);
 *     return out.array();
 * };
 * }</pre>
 *
 * @since 0.1
 */
public interface VectorBlock extends AutoCloseable {

    /**
     * Returns how many vectors there are.
     *
     * @return rows
     */
    int rows();

    /**
     * Returns the length of each vector.
     *
     * @return numbers per row
     */
    int dimension();

    /**
     * Returns how the numbers are stored.
     *
     * @return the type
     */
    DType type();

    /**
     * Returns where the numbers lie.
     *
     * @return the device
     */
    DeviceId device();

    /**
     * Copies all vectors to the host as fp32, advancing the buffer's position by rows * dimension.
     *
     * @param out at least rows * dimension remaining
     */
    void copyTo(FloatBuffer out);

    /** Gives the memory back. */
    @Override
    void close();
}
