// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import io.embed4j.spi.VectorBlock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One encoder on one GPU.
 *
 * <p>The idea: two slots, each with inputs and outputs of its own, so that one batch is copied while the other computes.
 * Whoever submits a batch while a slot is free queues its copies and launches himself, at once; else the batch waits,
 * and the thread that finishes a batch queues the next before it hands out vectors. Nothing polls.
 *
 * <p>A call of the driver that fails fails its batch. If the device's context is lost by it, the encoder says so to every
 * later batch: nothing hangs, and no vector is made of memory that was not written.
 */
final class CudaEncoder implements Encoder {
    private static final Logger LOG = LoggerFactory.getLogger(CudaEncoder.class);

    /** Two in the slots, and one that is packed meanwhile. */
    private static final int CONCURRENT_BATCHES = ActivationLayout.SLOTS + 1;

    private final CudaContext context;
    private final Account account;
    private final String tenant;
    private final EncoderEngine engine;
    private final VectorRooms rooms;
    private final Thread finisher;
    private final CountDownLatch ended = new CountDownLatch(1);

    private volatile Limits limits;

    // Guarded by this.
    private final Deque<Task> waiting = new ArrayDeque<>();
    private final Deque<EncoderEngine.Running> running = new ArrayDeque<>();
    private final Deque<Integer> freeSlots = new ArrayDeque<>();
    private boolean closed;
    private @Nullable EmbedException lost;

    /**
     * A batch on its way.
     *
     * @param batch its tokens
     * @param request what is wanted
     * @param placements which vectors stay on the device too, and where
     * @param result where vectors go
     */
    record Task(
            PackedBatch batch,
            OutputRequest request,
            List<Placement> placements,
            CompletableFuture<VectorBlock> result) {}

    /** The encoder's memory in the device's account. */
    interface Account extends AutoCloseable {
        /** The encoder's name in it. */
        String tenant();

        /** Most tokens in one batch. */
        int maxTokens();

        /** What is needed and what is there. */
        FitReport report();

        /**
         * Changes the budget, and with it the engine's memory.
         *
         * @throws OutOfDeviceMemoryException if it does not fit; then all is as before
         * @throws CudaException if the device fails
         */
        void resize(int maxBatchTokens, EncoderEngine engine);

        @Override
        void close();
    }

    CudaEncoder(CudaContext context, Account account, EncoderEngine engine, VectorRooms rooms) {
        this.context = context;
        this.account = account;
        this.tenant = account.tenant();
        this.engine = engine;
        this.rooms = rooms;
        this.limits = limitsOf(account);
        for (int slot = 0; slot < ActivationLayout.SLOTS; slot++) {
            freeSlots.add(slot);
        }
        this.finisher = new Thread(this::finishBatches, "embed4j-" + context + "-" + tenant);
        finisher.setDaemon(true);
        finisher.start();
    }

    private static Limits limitsOf(Account account) {
        return new Limits(account.maxTokens(), Long.MAX_VALUE, CONCURRENT_BATCHES);
    }

    @Override
    public Limits limits() {
        return limits;
    }

    @Override
    public synchronized void resizeBudget(int maxBatchTokens) {
        if (closed) {
            throw new EmbedderClosedException("The encoder is closed.");
        }
        if (lost != null) {
            throw lost;
        }
        if (!running.isEmpty() || !waiting.isEmpty()) {
            throw new IllegalStateException("The budget cannot change while batches are under way.");
        }
        context.makeCurrent();
        try {
            account.resize(maxBatchTokens, engine);
        } catch (CudaException e) {
            if (!engine.isUsable() || e.isSticky()) {
                lost = lost(e);
                throw lost;
            }
            throw new EmbedException("The budget of " + tenant + " could not be changed: " + e.getMessage(), e);
        }
        limits = limitsOf(account);
    }

    private EmbedException lost(CudaException failure) {
        EmbedException message = new EmbedException(
                context + " was lost while " + tenant + " ran on it: " + failure.getMessage()
                        + " Close this embedder and build a new one; if that fails too, restart the process.",
                failure);
        LOG.error("{}", message.getMessage());
        return message;
    }

    @Override
    public Submission submit(PackedBatch batch, OutputRequest request) {
        return submitTask(batch, request, List.of());
    }

    @Override
    public Optional<VectorBlock> room(int rows, int dimension) {
        return rooms.make(rows, dimension);
    }

    @Override
    public Submission submit(PackedBatch batch, OutputRequest.Pooled request, List<Placement> placements) {
        for (Placement placement : placements) {
            boolean fits = placement.room() instanceof DeviceVectors room
                    && room.isOn(context)
                    && room.dimension() == request.dimension()
                    && placement.batchRow() + placement.rows() <= batch.rows()
                    && placement.roomRow() + placement.rows() <= room.rows();
            if (!fits) {
                throw new IllegalArgumentException(placement + " is no place for vectors of " + request.dimension()
                        + " numbers on " + context + ".");
            }
        }
        return submitTask(batch, request, List.copyOf(placements));
    }

    private Submission submitTask(PackedBatch batch, OutputRequest request, List<Placement> placements) {
        if (batch.tokens() > limits.maxTokens()) {
            throw new IllegalArgumentException("A batch of " + batch.rows() + " rows, " + batch.tokens()
                    + " tokens, longest row " + batch.longestRow() + " exceeds " + limits + ".");
        }
        CompletableFuture<VectorBlock> result = new CompletableFuture<>();
        List<Runnable> outcomes;
        synchronized (this) {
            waiting.add(new Task(batch, request, placements, result));
            outcomes = startWaiting();
        }
        outcomes.forEach(Runnable::run);
        return () -> result;
    }

    /**
     * Starts what waits as long as slots are free. The lock is held.
     *
     * @return what is to be told of batches that cannot be started; to be run without the lock, since it runs what others
     *     have put behind their futures
     */
    private List<Runnable> startWaiting() {
        List<Runnable> outcomes = new ArrayList<>();
        while (!waiting.isEmpty() && (!freeSlots.isEmpty() || closed || lost != null)) {
            Task task = waiting.remove();
            if (closed) {
                outcomes.add(failing(task, new EmbedderClosedException("The encoder is closed.")));
            } else if (lost != null) {
                outcomes.add(failing(task, lost));
            } else if (!task.result().isDone()) {
                start(task).ifPresent(outcomes::add);
            }
        }
        notifyAll();
        return outcomes;
    }

    private Optional<Runnable> start(Task task) {
        int slot = freeSlots.remove();
        try {
            context.makeCurrent();
            running.add(engine.start(task, slot));
            return Optional.empty();
        } catch (RuntimeException | Error e) {
            freeSlots.add(slot);
            return Optional.of(failing(task, known(task, e)));
        }
    }

    private static Runnable failing(Task task, Throwable failure) {
        return () -> task.result().completeExceptionally(failure);
    }

    /** A failure as callers are to see it; what is queued already is waited for. The lock is held. */
    private Throwable known(Task task, Throwable failure) {
        engine.settle();
        if (lost != null) {
            return lost;
        }
        if (failure instanceof CudaException cuda && cuda.isSticky()) {
            lost = lost(cuda);
            return lost;
        }
        if (failure instanceof CudaException cuda && cuda.isOutOfMemory()) {
            return new OutOfDeviceMemoryException(account.report(), cuda);
        }
        return failure instanceof EmbedException || failure instanceof Error
                ? failure
                : new EmbedException("A batch of " + task.batch().tokens() + " tokens failed: " + failure, failure);
    }

    /** The finisher's life: wait for the oldest batch, start the next one, hand out vectors. */
    private void finishBatches() {
        try {
            context.makeCurrent();
            for (EncoderEngine.Running batch = oldest(); batch != null; batch = oldest()) {
                finish(batch);
            }
        } finally {
            engine.close();
            rooms.close();
            account.close();
            ended.countDown();
        }
    }

    private synchronized EncoderEngine.@Nullable Running oldest() {
        boolean interrupted = false;
        while (running.isEmpty() && !closed) {
            try {
                wait();
            } catch (InterruptedException e) {
                // Nobody but us has this thread, and it ends when the encoder is closed.
                interrupted = true;
            }
        }
        if (interrupted) {
            LOG.debug("{} was interrupted and goes on.", Thread.currentThread());
        }
        return running.peek();
    }

    private void finish(EncoderEngine.Running batch) {
        VectorBlock vectors = null;
        Throwable thrown = null;
        try {
            vectors = engine.finish(batch);
        } catch (RuntimeException | Error e) {
            thrown = e;
        }
        Throwable failure = null;
        List<Runnable> outcomes;
        synchronized (this) {
            if (thrown != null) {
                failure = known(batch.task(), thrown);
            }
            running.remove();
            freeSlots.add(batch.slot());
            outcomes = startWaiting();
        }
        if (failure != null) {
            batch.task().result().completeExceptionally(failure);
        } else if (vectors != null && !batch.task().result().complete(vectors)) {
            // Nobody waits any more, and nobody else would give back what they lie in.
            vectors.close();
        }
        outcomes.forEach(Runnable::run);
    }

    @Override
    public void close() {
        List<Runnable> outcomes;
        synchronized (this) {
            closed = true;
            outcomes = startWaiting();
        }
        outcomes.forEach(Runnable::run);
        if (Thread.currentThread() == finisher) {
            // Called by what somebody has put behind a future: the finisher ends by itself afterwards.
            return;
        }
        boolean interrupted = false;
        while (ended.getCount() > 0) {
            try {
                ended.await();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
