// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Memory that does not suffice, failures, cancelling and closing. */
class BatchSchedulerFailureTest extends SchedulerCalls {
    // Memory

    @Test
    void aBatchThatDoesNotFitIsHalved() {
        FakeEncoder encoder = encoder(100, 1, steps).failing(batch -> batch.rows() > 2 ? outOfMemory() : null);
        Call call = submitted(scheduler(encoder), call(1, 7, 6, 5, 4, 3, 2, 1));
        steps.all();
        assertThat(encoder.batches().stream().map(BatchSchedulerTest::lengths))
                .containsExactly(
                        List.of(7, 6, 5, 4, 3, 2, 1),
                        List.of(7, 6, 5),
                        List.of(4, 3, 2, 1),
                        List.of(7),
                        List.of(6, 5),
                        List.of(4, 3),
                        List.of(2, 1));
        call.mustHaveItsVectors();
    }

    @Test
    void halvesDoNotRunSideBySideWhereOneBatchIsTheLimit() {
        FakeEncoder encoder = encoder(100, 1, steps).failing(batch -> batch.rows() > 1 ? outOfMemory() : null);
        Call call = submitted(scheduler(encoder), call(1, 8, 7, 6, 5, 4, 3, 2, 1));
        steps.all();
        call.mustHaveItsVectors();
        assertThat(encoder.mostUnderWay()).isEqualTo(1);
    }

    @Test
    void aSingleRowThatDoesNotFitFailsItsCallWithTheCause() {
        OutOfDeviceMemoryException outOfMemory = outOfMemory();
        FakeEncoder encoder = encoder(100, 1, steps).failing(batch -> batch.longestRow() == 9 ? outOfMemory : null);
        BatchScheduler scheduler = scheduler(encoder);
        submitted(scheduler, call(0, 1));
        Call tooLarge = submitted(scheduler, call(1, 9, 3));
        Call small = submitted(scheduler, call(2, 4, 2));
        steps.all();
        tooLarge.mustHaveFailedWith(outOfMemory);
        small.mustHaveItsVectors();
    }

    // Failure

    @Test
    void aFailingBatchFailsItsOwnCallsOnly() {
        EmbedException broken = new EmbedException("broken");
        FakeEncoder encoder = encoder(10, 1, steps).failing(batch -> batch.longestRow() == 7 ? broken : null);
        BatchScheduler scheduler = scheduler(encoder);
        Call before = submitted(scheduler, call(1, 10));
        Call failing = submitted(scheduler, call(2, 7, 6, 5, 4));
        Call after = submitted(scheduler, call(3, 9, 8));
        steps.all();
        failing.mustHaveFailedWith(broken);
        before.mustHaveItsVectors();
        after.mustHaveItsVectors();
        assertThat(encoder.batches())
                .as("the failed call's other rows were not even tried")
                .noneMatch(batch -> batch.longestRow() == 6 || batch.longestRow() == 5);
    }

    @Test
    void anErrorOfTheEncoderFailsTheCallAndHoldsNothingUp() {
        for (Throwable thrown : List.of(new IllegalArgumentException("refused"), new LinkageError("no library"))) {
            Encoder refusing = new Encoder() {
                @Override
                public Submission submit(PackedBatch batch, OutputRequest request) {
                    if (thrown instanceof Error error) {
                        throw error;
                    }
                    throw (RuntimeException) thrown;
                }

                @Override
                public Limits limits() {
                    return new Limits(100, 10_000, 1);
                }

                @Override
                public void resizeBudget(int maxBatchTokens) {}

                @Override
                public void close() {}
            };
            BatchScheduler scheduler = new BatchScheduler(refusing, HIDDEN_SIZE, POSITIONS);
            submitted(scheduler, call(1, 3)).mustHaveFailedWith(thrown);
            submitted(scheduler, call(2, 3)).mustHaveFailedWith(thrown);
            scheduler.close();
        }
    }

    @Test
    void aCallThatCannotTakeItsRowsFailsAlone() {
        FakeEncoder encoder = encoder(100, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        OutOfMemoryError full = new OutOfMemoryError("no room for rows");
        EncodeJob job = new EncodeJob(call(1, 3).texts, POOLED, (row, values, from, length) -> {
            throw full;
        });
        scheduler.submit(job);
        steps.all();
        assertThatThrownBy(() -> job.done().join()).hasCause(full);
        Call next = submitted(scheduler, call(2, 3));
        steps.all();
        next.mustHaveItsVectors();
        assertThat(encoder.openBlocks()).isZero();
        scheduler.close();
    }

    // Cancelling and closing

    @Test
    void cancellingDropsTheRowsThatWait() {
        FakeEncoder encoder = encoder(10, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        Call cancelled = submitted(
                scheduler, call(1, IntStream.generate(() -> 10).limit(50).toArray()));
        Call other = submitted(scheduler, call(2, 7));
        assertThat(cancelled.done().cancel(false)).isTrue();
        steps.all();
        other.mustHaveItsVectors();
        assertThat(encoder.batches()).as("one under way, one of the other call").hasSize(2);
    }

    @Test
    void closingFailsWhatWaitsAndWaitsForWhatIsUnderWay() throws Exception {
        FakeEncoder encoder = encoder(10, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        Call underWay = submitted(scheduler, call(1, 6, 4));
        Call waiting = submitted(scheduler, call(2, 5));
        Thread closing = new Thread(scheduler::close);
        closing.start();
        assertThatThrownBy(() -> waiting.done().join())
                .cause()
                .isInstanceOf(EmbedderClosedException.class)
                .hasMessage("The embedder was closed during the call.");
        while (closing.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertThat(underWay.done()).isNotDone();
        steps.next();
        closing.join();
        underWay.mustHaveItsVectors();
        assertThat(encoder.batches()).hasSize(1);
        assertThatThrownBy(() -> scheduler.submit(call(3, 1).job))
                .isInstanceOf(EmbedderClosedException.class)
                .hasMessage("The embedder is closed. Build a new one.");
    }

    @Test
    void closingDoesNotTryHalvesAgain() throws Exception {
        FakeEncoder encoder = encoder(100, 1, steps).failing(batch -> outOfMemory());
        BatchScheduler scheduler = scheduler(encoder);
        Call call = submitted(scheduler, call(1, 4, 3, 2, 1));
        steps.next();
        assertThat(encoder.batchSizes()).containsExactly(4, 2);
        Thread closing = new Thread(scheduler::close);
        closing.start();
        while (closing.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        steps.all();
        closing.join();
        assertThat(encoder.batchSizes()).containsExactly(4, 2);
        assertThatThrownBy(() -> call.done().join()).hasCauseInstanceOf(EmbedderClosedException.class);
    }

    @Test
    void closingKeepsTheInterrupt() throws Exception {
        FakeEncoder encoder = encoder(100, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        Call call = submitted(scheduler, call(1, 4));
        CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
        Thread closing = new Thread(() -> {
            scheduler.close();
            interrupted.complete(Thread.currentThread().isInterrupted());
        });
        closing.start();
        closing.interrupt();
        while (closing.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        steps.all();
        assertThat(interrupted.get()).isTrue();
        call.mustHaveItsVectors();
    }
}
