// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;

/** A loaded graph. Thread-safe. */
interface EncoderSession extends AutoCloseable {

    /**
     * An int32 or fp32 input.
     *
     * @param values an IntBuffer or a FloatBuffer, direct, positioned at 0
     * @param shape its sizes
     */
    @SuppressWarnings("ArrayRecordComponent") // handed to native code as it is
    record Tensor(Buffer values, long... shape) {}

    /**
     * Runs the graph on the calling thread.
     *
     * @param inputs every input by name
     * @return the outputs in order, on the heap or not, positioned at 0
     */
    List<FloatBuffer> run(Map<String, Tensor> inputs);

    @Override
    void close();
}
