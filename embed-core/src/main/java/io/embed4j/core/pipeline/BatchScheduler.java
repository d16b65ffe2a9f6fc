// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import io.embed4j.spi.VectorBlock;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Merges the rows of all calls into batches by token budget and keeps the device busy.
 *
 * <p>The idea: never wait for more work. While the device has room, a batch leaves at once, so a single call on an idle
 * device is never held back; while it is busy, rows gather, and the next batch takes from all calls that want the same
 * output. Calls take turns: each batch begins with the call that has waited longest since its last turn and takes that
 * call's longest rows, then fills up with rows of the others. A large call thus cannot starve a small one.
 *
 * <p>A batch that meets {@link OutOfDeviceMemoryException} is halved, down to single rows; the halves leave before
 * anything else, and like all batches only as many at a time as the device takes.
 */
final class BatchScheduler implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BatchScheduler.class);

    private final Encoder encoder;
    private final int hiddenSize;
    private final EmbeddingSpec.Positions positions;
    private final Deque<EncodeJob> jobs = new ArrayDeque<>();
    private final Deque<Batch> halves = new ArrayDeque<>();
    private Encoder.Limits limits;
    private int batchesUnderWay;
    private boolean paused;
    private boolean closed;
    private boolean memoryWarningGiven;

    private record Row(EncodeJob job, int row) {
        TokenizedText text() {
            return job.text(row);
        }

        int length() {
            return text().length();
        }
    }

    private record Batch(OutputRequest request, List<Row> rows) {
        /** Whether all calls that its rows belong to have ended. */
        boolean isUnwanted() {
            return rows.stream().allMatch(row -> row.job().done().isDone());
        }

        /** Whether it consists of a call's rows, all of them and no others. */
        boolean isAllOf(EncodeJob job) {
            return job.hasRows(rows.size()) && rows.stream().allMatch(row -> row.job() == job);
        }

        Batch part(int from, int to) {
            return new Batch(request, rows.subList(from, to));
        }

        long tokens() {
            return rows.stream().mapToLong(row -> row.text().length()).sum();
        }

        int longestRow() {
            return rows.stream().mapToInt(row -> row.text().length()).max().orElse(0);
        }

        void fail(Throwable failure) {
            rows.forEach(row -> row.job().fail(failure));
        }

        /** Holds the rooms that vectors go to, but for those that nobody wants any more. */
        Set<SharedRoom> holdRooms() {
            Set<SharedRoom> held = new LinkedHashSet<>();
            for (Row row : rows) {
                SharedRoom room = row.job().room();
                if (room != null && !held.contains(room) && room.hold()) {
                    held.add(room);
                }
            }
            return held;
        }

        /** Where vectors go: rows that lie side by side there as here together. */
        List<Encoder.Placement> placements(Set<SharedRoom> held) {
            List<Encoder.Placement> placements = new ArrayList<>();
            int first = 0;
            for (int next = 1; next <= rows.size(); next++) {
                EncodeJob job = rows.get(first).job();
                int place = job.places()[rows.get(first).row()];
                boolean goesOn = next < rows.size()
                        && rows.get(next).job() == job
                        && job.places()[rows.get(next).row()] == place + next - first;
                if (!goesOn) {
                    SharedRoom room = job.room();
                    if (room != null && held.contains(room)) {
                        placements.add(new Encoder.Placement(first, next - first, room.block(), place));
                    }
                    first = next;
                }
            }
            return placements;
        }
    }

    /**
     * Starts empty.
     *
     * @param encoder where batches go; not closed by the scheduler
     * @param hiddenSize H, the width of token output
     * @param positions which position each token takes
     */
    BatchScheduler(Encoder encoder, int hiddenSize, EmbeddingSpec.Positions positions) {
        this.encoder = encoder;
        this.limits = encoder.limits();
        this.hiddenSize = hiddenSize;
        this.positions = positions;
    }

    /**
     * Takes a call's rows. The job's future completes when the last one is done.
     *
     * @throws EmbedderClosedException if the scheduler is closed
     */
    void submit(EncodeJob job) {
        synchronized (this) {
            if (closed) {
                throw new EmbedderClosedException("The embedder is closed. Build a new one.");
            }
            if (!job.isDrained()) {
                jobs.add(job);
            }
        }
        dispatch(job);
    }

    /** Starts what the device has room for. The caller, if there is one, has nothing to do but wait for its job. */
    private void dispatch(@Nullable EncodeJob caller) {
        for (Batch batch = nextBatch(); batch != null; batch = nextBatch()) {
            start(batch, caller != null && batch.isAllOf(caller));
        }
    }

    private synchronized @Nullable Batch nextBatch() {
        jobs.removeIf(EncodeJob::isDrained);
        halves.removeIf(Batch::isUnwanted);
        if (paused || batchesUnderWay >= limits.concurrentBatches() || (jobs.isEmpty() && halves.isEmpty())) {
            return null;
        }
        if (!halves.isEmpty()) {
            batchesUnderWay++;
            return halves.remove();
        }
        EncodeJob first = jobs.remove();
        List<Row> rows = new ArrayList<>();
        long tokens = fill(rows, 0, first, first.takeShare(limits));
        for (Iterator<EncodeJob> others = jobs.iterator(); others.hasNext() && tokens < limits.maxTokens(); ) {
            EncodeJob other = others.next();
            if (other.request().equals(first.request())) {
                tokens = fill(rows, tokens, other, limits.maxTokens());
            }
        }
        jobs.add(first);
        // Rows of equal length beside each other: the CPU's attention takes neighbours of one length together.
        rows.sort(Comparator.comparingInt(Row::length).reversed());
        batchesUnderWay++;
        return new Batch(first.request(), rows);
    }

    /**
     * Moves rows from the job into the batch as long as the limits admit them and it comes nearer to the tokens aimed at;
     * returns the batch's tokens.
     */
    private long fill(List<Row> rows, long tokens, EncodeJob job, long aim) {
        int longest = rows.stream().mapToInt(row -> row.text().length()).max().orElse(0);
        for (Integer row = job.peek(); row != null && !job.isDrained(); row = job.peek()) {
            int length = job.text(row).length();
            longest = Math.max(longest, length);
            boolean nearer = tokens + length / 2 < aim;
            if (!limits.admits(rows.size() + 1, tokens + length, longest) || !(rows.isEmpty() || nearer)) {
                break;
            }
            rows.add(new Row(job, job.take()));
            tokens += length;
        }
        return tokens;
    }

    @SuppressWarnings("FutureReturnValueIgnored") // both outcomes go to the jobs
    private void start(Batch batch, boolean callerWaits) {
        CompletableFuture<VectorBlock> result;
        PackedBatch packed;
        Set<SharedRoom> rooms = batch.holdRooms();
        try {
            packed = PackedBatch.of(
                    batch.rows().stream().map(row -> row.text().ids()).toList(),
                    batch.rows().stream().map(row -> row.text().typeIds()).toList(),
                    batch.rows().stream()
                            .map(row -> positions.rows(row.text().ids()))
                            .toList(),
                    batch.rows().stream()
                            .mapToInt(row -> row.text().poolStart())
                            .toArray());
            result = submit(batch, packed, rooms, callerWaits).result();
        } catch (RuntimeException | Error e) {
            rooms.forEach(SharedRoom::release);
            finish(batch, null, null, e);
            return;
        }
        // What is done already is finished here and now, and the loop that called goes on: no recursion.
        boolean here = result.isDone();
        result.whenComplete((block, failure) -> {
            rooms.forEach(SharedRoom::release);
            finish(batch, packed, block, failure);
            if (!here) {
                dispatch(null);
            }
        });
    }

    private Submission submit(Batch batch, PackedBatch packed, Set<SharedRoom> rooms, boolean callerWaits) {
        if (batch.request() instanceof OutputRequest.Pooled pooled && !rooms.isEmpty()) {
            return encoder.submit(packed, pooled, batch.placements(rooms));
        }
        return callerWaits ? encoder.submitWaiting(packed, batch.request()) : encoder.submit(packed, batch.request());
    }

    private void finish(
            Batch batch, @Nullable PackedBatch packed, @Nullable VectorBlock block, @Nullable Throwable failure) {
        try {
            if (block != null && packed != null) {
                deliver(batch, packed, block);
            } else {
                halveOrFail(batch, failure instanceof CompletionException ? failure.getCause() : failure);
            }
        } catch (RuntimeException | Error e) {
            batch.fail(e);
        } finally {
            synchronized (this) {
                batchesUnderWay--;
                notifyAll();
            }
        }
    }

    private void deliver(Batch batch, PackedBatch packed, VectorBlock block) {
        try (block) {
            FloatBuffer values = FloatBuffer.allocate(Math.multiplyExact(block.rows(), block.dimension()));
            block.copyTo(values);
            boolean pooled = batch.request() instanceof OutputRequest.Pooled;
            for (int row = 0; row < batch.rows().size(); row++) {
                int from = pooled ? row * block.dimension() : packed.cuSeqLens()[row] * hiddenSize;
                int length = pooled ? block.dimension() : packed.length(row) * hiddenSize;
                requireFinite(values.array(), from, length);
                Row target = batch.rows().get(row);
                target.job().finishRow(target.row(), values.array(), from, length);
            }
        }
    }

    /** NaN weights, and activations that overflow the precision, end here: nobody gets a wrong vector. */
    private static void requireFinite(float[] values, int from, int length) {
        for (int i = from; i < from + length; i++) {
            if (!Float.isFinite(values[i])) {
                throw new ModelFormatException(
                        HelpTopic.NOT_FINITE,
                        "The model gave a vector with " + values[i] + " in it. Its weights hold NaN"
                                + " or infinity, or its activations are too large for this precision.");
            }
        }
    }

    private void halveOrFail(Batch batch, @Nullable Throwable failure) {
        int rows = batch.rows().size();
        if (!(failure instanceof OutOfDeviceMemoryException) || rows == 1) {
            batch.fail(failure == null ? new IllegalStateException("The backend returned nothing.") : failure);
            return;
        }
        boolean retry;
        synchronized (this) {
            retry = !closed;
            if (retry) {
                halves.add(batch.part(0, rows / 2));
                halves.add(batch.part(rows / 2, rows));
            }
            if (!memoryWarningGiven) {
                memoryWarningGiven = true;
                LOG.warn("A batch of {} texts ran out of memory and is halved: {}", rows, failure.getMessage());
            }
        }
        if (!retry) {
            batch.fail(closedDuringCall());
        }
    }

    /**
     * Runs something while no batch is under way; calls wait. The encoder's limits may be others afterwards.
     *
     * @throws EmbedderClosedException if the scheduler is closed
     */
    void pauseFor(Runnable work) {
        pause();
        try {
            work.run();
        } finally {
            synchronized (this) {
                limits = encoder.limits();
                List<Batch> waiting = List.copyOf(halves);
                halves.clear();
                halves.addAll(admitted(waiting));
                paused = false;
                notifyAll();
            }
            dispatch(null);
        }
    }

    private synchronized void pause() {
        try {
            while (paused) {
                wait();
            }
            paused = true;
            while (batchesUnderWay > 0) {
                wait();
            }
        } catch (InterruptedException e) {
            paused = false;
            notifyAll();
            Thread.currentThread().interrupt();
            throw new EmbedException(HelpTopic.INTERRUPTED, "Interrupted while waiting for batches under way.", e);
        }
        if (closed) {
            paused = false;
            notifyAll();
            throw new EmbedderClosedException("The embedder is closed. Build a new one.");
        }
    }

    /** Cuts batches that were made for other limits until the new ones admit them. */
    private List<Batch> admitted(List<Batch> batches) {
        List<Batch> small = new ArrayList<>();
        for (Batch batch : batches) {
            int rows = batch.rows().size();
            if (limits.admits(rows, batch.tokens(), batch.longestRow())) {
                small.add(batch);
            } else {
                small.addAll(admitted(List.of(batch.part(0, rows / 2), batch.part(rows / 2, rows))));
            }
        }
        return small;
    }

    private static EmbedderClosedException closedDuringCall() {
        return new EmbedderClosedException("The embedder was closed during the call.");
    }

    /** Fails what waits, and waits for what is under way. */
    @Override
    public void close() {
        List<EncodeJob> waiting;
        List<Batch> waitingHalves;
        synchronized (this) {
            closed = true;
            jobs.removeIf(EncodeJob::isDrained);
            waiting = List.copyOf(jobs);
            waitingHalves = List.copyOf(halves);
            jobs.clear();
            halves.clear();
        }
        waiting.forEach(job -> job.fail(closedDuringCall()));
        waitingHalves.forEach(batch -> batch.fail(closedDuringCall()));
        boolean interrupted = false;
        synchronized (this) {
            while (batchesUnderWay > 0 || paused) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
