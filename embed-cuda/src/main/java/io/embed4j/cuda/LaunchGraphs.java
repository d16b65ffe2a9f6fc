// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.CudaGraph;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Recorded launches for small batches, which would else spend more time on being launched than on computing.
 *
 * <p>A graph is recorded for a bucket of sizes: kernels read from device memory how much of it is used. Buckets are 16,
 * 32, 64, 96, 128 tokens, then at most an eighth apart, so that little is computed in vain. The second batch of a bucket
 * records it: what comes once is not worth it. Where the device has no room for a graph, launches go on one by one.
 */
final class LaunchGraphs implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LaunchGraphs.class);

    /** System property: "off" launches every kernel by itself. */
    static final String PROPERTY = "embed4j.cuda.graphs";

    /** Beyond, computing takes longer than launching. */
    private static final int MAX_TOKENS = 8192;

    private static final int MAX_GRAPHS = 128;

    /**
     * What a driver takes of the device for a launch in a graph: an estimate. Somebody measured 362, 395 and 458 MB with
     * 500, 1000 and 2000 launches (forums.developer.nvidia.com, topic 244901, driver 470); newer drivers may take less.
     */
    private static final long BYTES_PER_LAUNCH = 64L << 10;

    private static final int[] SMALL_BUCKETS = {16, 32, 64, 96, 128};
    private static final int STEPS_PER_DOUBLING = 8;
    private static final int SHORT_ROW_STEP = 16;

    private final CudaStream stream;
    private final int maxTokens;
    private final boolean enabled = !"off".equals(System.getProperty(PROPERTY));

    /** Least recently used first; null where a bucket was seen once. */
    private final Map<Key, @Nullable CudaGraph> graphs = new LinkedHashMap<>(16, 0.75f, true);

    private boolean outOfMemory;

    private record Key(Bounds bounds, OutputRequest.Pooled request, int slot) {}

    /**
     * How large a batch launches are made for.
     *
     * @param tokens no more tokens than this
     * @param rows no more rows than this
     * @param longest no row is longer than this
     * @param exact whether the batch is just as large, so that there is nothing to record
     */
    record Bounds(int tokens, int rows, int longest, boolean exact) {}

    /**
     * Starts without graphs.
     *
     * @param stream where work is queued
     * @param maxTokens the largest batch there is memory for
     */
    LaunchGraphs(CudaStream stream, int maxTokens) {
        this.stream = stream;
        this.maxTokens = maxTokens;
    }

    /** Estimates what the driver takes for as many graphs as may be kept. */
    static long estimatedBytes(EncoderSpec spec) {
        return MAX_GRAPHS * EncoderProgram.launches(spec) * BYTES_PER_LAUNCH;
    }

    /** The batch's own size. */
    static Bounds exactly(PackedBatch batch) {
        return new Bounds(batch.tokens(), batch.rows(), batch.longestRow(), true);
    }

    /**
     * The bucket of a batch, or its own size if it is not to be recorded.
     *
     * @param batch the batch
     * @param maxRows rows that the output holds at once
     */
    Bounds bounds(PackedBatch batch, int maxRows) {
        int tokens = Math.min(maxTokens, bucket(batch.tokens()));
        int rows = Math.min(tokens, roundUpToPowerOfTwo(batch.rows()));
        boolean recorded = enabled && !outOfMemory && tokens <= MAX_TOKENS && rows <= maxRows;
        return recorded ? new Bounds(tokens, rows, longest(batch), false) : exactly(batch);
    }

    /** Short rows in steps of what a warp takes; all others are alike. */
    private int longest(PackedBatch batch) {
        return batch.longestRow() > AttentionKernel.SHORT_ROW
                ? maxTokens
                : Math.toIntExact(ArenaLayout.roundUp(batch.longestRow(), SHORT_ROW_STEP));
    }

    private static int bucket(int tokens) {
        for (int bucket : SMALL_BUCKETS) {
            if (tokens <= bucket) {
                return bucket;
            }
        }
        int step = Math.max(1, Integer.highestOneBit(tokens - 1) / STEPS_PER_DOUBLING);
        return Math.toIntExact(ArenaLayout.roundUp(tokens, step));
    }

    private static int roundUpToPowerOfTwo(int value) {
        return value <= 1 ? 1 : 2 * Integer.highestOneBit(value - 1);
    }

    /**
     * Queues work, recorded if that is worth it.
     *
     * @param bounds from {@link #bounds}
     * @param request what the work gives
     * @param slot whose inputs and outputs it has
     * @param work kernels and products
     */
    void run(Bounds bounds, OutputRequest.Pooled request, int slot, Runnable work) {
        if (bounds.exact()) {
            work.run();
            return;
        }
        Key key = new Key(bounds, request, slot);
        boolean seen = graphs.containsKey(key);
        CudaGraph graph = graphs.get(key);
        if (graph == null && seen && !outOfMemory) {
            graph = record(work);
        }
        graphs.put(key, graph);
        dropOldest();
        if (graph == null) {
            work.run();
        } else {
            graph.launch(stream);
        }
    }

    private @Nullable CudaGraph record(Runnable work) {
        try {
            return stream.capture(work);
        } catch (CudaException e) {
            if (!e.isOutOfMemory()) {
                throw e;
            }
            outOfMemory = true;
            LOG.warn("There is no room for recorded launches; kernels are launched one by one: {}", e.getMessage());
            return null;
        }
    }

    private void dropOldest() {
        if (graphs.size() > MAX_GRAPHS) {
            Iterator<Map.Entry<Key, @Nullable CudaGraph>> oldest =
                    graphs.entrySet().iterator();
            CudaGraph graph = oldest.next().getValue();
            oldest.remove();
            if (graph != null) {
                stream.synchronize();
                graph.close();
            }
        }
    }

    @Override
    public void close() {
        for (CudaGraph graph : graphs.values()) {
            if (graph != null) {
                graph.close();
            }
        }
        graphs.clear();
    }
}
