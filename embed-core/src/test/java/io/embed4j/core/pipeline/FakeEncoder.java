// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.DType;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import io.embed4j.spi.VectorBlock;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * An encoder whose vectors are made of the token ids, so that a row in the wrong place is noticed. Where batches run is
 * up to the executor: step by step, on threads, or at once.
 */
final class FakeEncoder implements Encoder {
    private volatile Limits limits;
    private final int hiddenSize;
    private final Executor worker;
    private final List<PackedBatch> batches = Collections.synchronizedList(new ArrayList<>());
    private final List<PackedBatch> waitedFor = Collections.synchronizedList(new ArrayList<>());
    private final AtomicInteger underWay = new AtomicInteger();
    private final AtomicInteger mostUnderWay = new AtomicInteger();
    private final AtomicInteger openBlocks = new AtomicInteger();
    private final AtomicInteger openRooms = new AtomicInteger();
    private final AtomicInteger writtenBehindClosedDoors = new AtomicInteger();
    private volatile int mostRooms;
    private volatile Function<PackedBatch, @Nullable Throwable> failure = batch -> null;
    private volatile boolean closed;

    FakeEncoder(Limits limits, int hiddenSize, Executor worker) {
        this.limits = limits;
        this.hiddenSize = hiddenSize;
        this.worker = worker;
    }

    /** Decides which batches fail, and with what. */
    FakeEncoder failing(Function<PackedBatch, @Nullable Throwable> failure) {
        this.failure = failure;
        return this;
    }

    /** Makes rooms, so many at a time. */
    FakeEncoder withRooms(int mostRooms) {
        this.mostRooms = mostRooms;
        return this;
    }

    /** Rooms that are not closed. */
    int openRooms() {
        return openRooms.get();
    }

    /** Vectors that went to a room that was closed. */
    int writtenBehindClosedDoors() {
        return writtenBehindClosedDoors.get();
    }

    @Override
    public Optional<VectorBlock> room(int rows, int dimension) {
        if (openRooms.get() >= mostRooms) {
            return Optional.empty();
        }
        return Optional.of(new Block(new float[rows][dimension], openRooms));
    }

    /** All batches so far, in the order of submission. */
    List<PackedBatch> batches() {
        return List.copyOf(batches);
    }

    /** Rows of all batches so far. */
    List<Integer> batchSizes() {
        return batches().stream().map(PackedBatch::rows).toList();
    }

    int mostUnderWay() {
        return mostUnderWay.get();
    }

    /** Blocks that were handed out and not closed. */
    int openBlocks() {
        return openBlocks.get();
    }

    boolean isClosed() {
        return closed;
    }

    @Override
    public Submission submitWaiting(PackedBatch batch, OutputRequest request) {
        waitedFor.add(batch);
        return submit(batch, request);
    }

    /** The batches whose callers waited for nothing else. */
    List<PackedBatch> waitedFor() {
        return List.copyOf(waitedFor);
    }

    @Override
    public Submission submit(PackedBatch batch, OutputRequest request) {
        return submitTo(batch, request, List.of());
    }

    @Override
    public Submission submit(PackedBatch batch, OutputRequest.Pooled request, List<Placement> placements) {
        return submitTo(batch, request, placements);
    }

    private Submission submitTo(PackedBatch batch, OutputRequest request, List<Placement> placements) {
        if (!limits.admits(batch.rows(), batch.tokens(), batch.longestRow())) {
            throw new IllegalArgumentException("beyond the limits: " + batch.rows() + " rows, " + batch.tokens()
                    + " tokens, longest " + batch.longestRow());
        }
        batches.add(batch);
        int now = underWay.incrementAndGet();
        mostUnderWay.accumulateAndGet(now, Math::max);
        CompletableFuture<VectorBlock> result = new CompletableFuture<>();
        worker.execute(() -> {
            Throwable problem = failure.apply(batch);
            underWay.decrementAndGet();
            if (problem == null) {
                float[][] vectors = encode(batch, request);
                placements.forEach(placement -> place(vectors, placement));
                result.complete(new Block(vectors, openBlocks));
            } else {
                result.completeExceptionally(problem);
            }
        });
        return () -> result;
    }

    private void place(float[][] vectors, Placement placement) {
        Block room = (Block) placement.room();
        if (!room.open.get()) {
            writtenBehindClosedDoors.incrementAndGet();
        }
        System.arraycopy(vectors, placement.batchRow(), room.vectors, placement.roomRow(), placement.rows());
    }

    private float[][] encode(PackedBatch batch, OutputRequest request) {
        if (request instanceof OutputRequest.Pooled pooled) {
            float[][] vectors = new float[batch.rows()][];
            for (int row = 0; row < vectors.length; row++) {
                int[] ids = Arrays.copyOfRange(batch.tokenIds(), batch.cuSeqLens()[row], batch.cuSeqLens()[row + 1]);
                vectors[row] = pooled(ids, batch.poolStarts()[row], pooled.dimension());
            }
            return vectors;
        }
        float[][] vectors = new float[batch.tokens()][];
        for (int token = 0; token < vectors.length; token++) {
            vectors[token] = token(batch.tokenIds()[token], batch.positions()[token], hiddenSize);
        }
        return vectors;
    }

    /** What a text's vector must be. */
    static float[] pooled(int[] ids, int poolStart, int dimension) {
        float[] vector = new float[dimension];
        for (int d = 0; d < dimension; d++) {
            vector[d] = Math.floorMod(31 * (31 * Arrays.hashCode(ids) + poolStart) + d, 10_007);
        }
        return vector;
    }

    static float[] pooled(TokenizedText text, int dimension) {
        return pooled(text.ids(), text.poolStart(), dimension);
    }

    /** What a token's vector must be. */
    static float[] token(int id, int position, int hiddenSize) {
        float[] vector = new float[hiddenSize];
        for (int i = 0; i < hiddenSize; i++) {
            vector[i] = 1000 * id + position + i / 64f;
        }
        return vector;
    }

    @Override
    public Limits limits() {
        return limits;
    }

    @Override
    public void resizeBudget(int maxBatchTokens) {
        if (underWay.get() > 0) {
            throw new IllegalStateException("batches are under way");
        }
        limits = new Limits(maxBatchTokens, limits.maxPaddedPairs(), limits.concurrentBatches());
    }

    @Override
    public void close() {
        closed = true;
    }

    private static final class Block implements VectorBlock {
        private final float[][] vectors;
        private final AtomicInteger howManyAreOpen;
        private final AtomicBoolean open = new AtomicBoolean(true);

        Block(float[][] vectors, AtomicInteger howManyAreOpen) {
            this.vectors = vectors;
            this.howManyAreOpen = howManyAreOpen;
            howManyAreOpen.incrementAndGet();
        }

        @Override
        public int rows() {
            return vectors.length;
        }

        @Override
        public int dimension() {
            return vectors[0].length;
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
            for (float[] vector : vectors) {
                out.put(vector);
            }
        }

        @Override
        public void close() {
            if (open.compareAndSet(true, false)) {
                howManyAreOpen.decrementAndGet();
            }
        }
    }
}
