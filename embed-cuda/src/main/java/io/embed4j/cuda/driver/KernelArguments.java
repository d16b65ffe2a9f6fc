// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of a launch, in pinned memory: a table of addresses followed by the values they point to. The driver
 * copies the values during the launch, so one instance serves all launches of a thread. Not thread-safe.
 */
public final class KernelArguments implements AutoCloseable {
    private static final int MAX_PARAMETERS = 32;

    private final PinnedMemory memory;
    private final ByteBuffer buffer;
    private final Pointer table;
    private int count;

    /**
     * Allocates the table.
     *
     * @param context a context, current on this thread
     */
    public KernelArguments(CudaContext context) {
        memory = new PinnedMemory(context, 2 * MAX_PARAMETERS * Long.BYTES);
        buffer = memory.buffer();
        for (int i = 0; i < MAX_PARAMETERS; i++) {
            buffer.putLong(i * Long.BYTES, memory.address() + valueOffset(i));
        }
        table = memory.at(0);
    }

    private static int valueOffset(int parameter) {
        return (MAX_PARAMETERS + parameter) * Long.BYTES;
    }

    /** Starts anew. */
    public KernelArguments begin() {
        count = 0;
        return this;
    }

    /** Adds an address in device memory; null is the null pointer. */
    public KernelArguments add(@Nullable DevicePointer pointer) {
        buffer.putLong(valueOffset(count++), pointer == null ? 0 : pointer.address());
        return this;
    }

    /** Adds an int. */
    public KernelArguments add(int value) {
        buffer.putInt(valueOffset(count++), value);
        return this;
    }

    /** Adds a bool as the int 0 or 1. */
    public KernelArguments add(boolean value) {
        return add(value ? 1 : 0);
    }

    /** Adds a float. */
    public KernelArguments add(float value) {
        buffer.putFloat(valueOffset(count++), value);
        return this;
    }

    Pointer table() {
        return table;
    }

    @Override
    public void close() {
        memory.close();
    }
}
