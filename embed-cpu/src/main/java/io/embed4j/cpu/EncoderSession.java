// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Map;

/** A loaded graph. Thread-safe. */
interface EncoderSession extends AutoCloseable {

    /**
     * An int32 input.
     *
     * @param values direct, positioned at 0
     * @param shape its sizes
     */
    @SuppressWarnings("ArrayRecordComponent") // handed to native code as it is
    record IntTensor(IntBuffer values, long... shape) {}

    /**
     * Runs the graph on the calling thread.
     *
     * @param inputs every input by name
     * @return the outputs in order, on the heap or not, positioned at 0
     */
    List<FloatBuffer> run(Map<String, IntTensor> inputs);

    @Override
    void close();
}
