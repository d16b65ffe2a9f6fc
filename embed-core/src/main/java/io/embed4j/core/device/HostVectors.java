// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import io.embed4j.spec.DType;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.VectorBlock;
import java.nio.FloatBuffer;

/**
 * Vectors in host memory, whatever device they come from.
 *
 * @param dimension D
 * @param values fp32 [rows, D], from its position to its limit
 */
public record HostVectors(int dimension, FloatBuffer values) implements VectorBlock {
    @Override
    public int rows() {
        return values.remaining() / dimension;
    }

    @Override
    public DType type() {
        return DType.FP32;
    }

    @Override
    public DeviceId device() {
        return DeviceId.CPU;
    }

    @Override
    public void copyTo(FloatBuffer out) {
        out.put(values.duplicate());
    }

    @Override
    public void close() {}
}
