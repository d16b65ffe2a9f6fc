// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.VectorRows;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceRows;
import java.nio.FloatBuffer;
import java.util.Iterator;
import java.util.Optional;

/** Vectors that an encoder is still making. An index on its device asks that they stay there. */
public interface EncodedRows extends VectorRows {

    /** Where the encoder is. */
    DeviceId device();

    /**
     * The vectors, some hundred at a time; this or {@link #read}, and once.
     *
     * @param stay whether they are to stay on the device too, as far as there is room
     */
    Iterator<Slice> slices(boolean stay);

    /**
     * Vectors of consecutive texts.
     *
     * @param values fp32 [n, D] on the host
     * @param onDevice the same on the device; empty if they did not stay there
     * @param release gives the device's memory back
     */
    record Slice(FloatBuffer values, Optional<DeviceRows> onDevice, Runnable release) implements AutoCloseable {
        @Override
        public void close() {
            release.run();
        }
    }
}
