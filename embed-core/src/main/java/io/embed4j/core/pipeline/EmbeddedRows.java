// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.core.index.EncodedRows;
import io.embed4j.spi.DeviceId;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Texts as rows of vectors, made as they are read; on the device too, for an index that can use them there. */
final class EmbeddedRows implements EncodedRows {
    private final int dimension;
    private final DeviceId device;
    private final Function<Boolean, EmbeddingStream> start;
    private @Nullable EmbeddingStream stream;
    private @Nullable Iterator<Slice> reading;
    private FloatBuffer left = FloatBuffer.allocate(0);

    /**
     * Starts nothing yet.
     *
     * @param dimension D
     * @param device where the encoder is
     * @param start starts the stream, with vectors that stay on the device or do not
     */
    EmbeddedRows(int dimension, DeviceId device, Function<Boolean, EmbeddingStream> start) {
        this.dimension = dimension;
        this.device = device;
        this.start = start;
    }

    @Override
    public int dimension() {
        return dimension;
    }

    @Override
    public DeviceId device() {
        return device;
    }

    @Override
    public Iterator<Slice> slices(boolean stay) {
        if (stream != null) {
            throw new IllegalStateException("These rows were read already; texts are embedded once.");
        }
        EmbeddingStream windows = start.apply(stay);
        stream = windows;
        Deque<PooledCall> calls = new ArrayDeque<>();
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return !calls.isEmpty() || windows.hasNext();
            }

            @Override
            public Slice next() {
                if (calls.isEmpty()) {
                    calls.addAll(windows.next().slices());
                }
                PooledCall call = calls.poll();
                if (call == null) {
                    throw new NoSuchElementException("All texts are embedded.");
                }
                return call.slice();
            }
        };
    }

    @Override
    public int read(FloatBuffer out) {
        Iterator<Slice> slices = reading == null ? slices(false) : reading;
        reading = slices;
        int count = 0;
        while (out.remaining() >= dimension && (left.hasRemaining() || slices.hasNext())) {
            if (!left.hasRemaining()) {
                left = slices.next().values();
            }
            int rows = Math.min(left.remaining(), out.remaining()) / dimension;
            out.put(left.slice(left.position(), rows * dimension));
            left.position(left.position() + rows * dimension);
            count += rows;
        }
        return count;
    }

    @Override
    public void close() {
        if (stream != null) {
            stream.close();
        }
    }
}
