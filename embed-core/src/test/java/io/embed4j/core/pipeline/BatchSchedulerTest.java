// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BatchSchedulerTest {
    private static final int DIMENSION = 4;
    private static final int HIDDEN_SIZE = 3;
    private static final EmbeddingSpec.Positions POSITIONS = EmbeddingSpec.LearnedPositions.ofEveryToken(512);
    private static final OutputRequest POOLED =
            new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.MEAN), DIMENSION, true);
    private final Steps steps = new Steps();

    private static FakeEncoder encoder(int maxTokens, int concurrentBatches, Executor worker) {
        return new FakeEncoder(new Encoder.Limits(maxTokens, 1_000_000, concurrentBatches), HIDDEN_SIZE, worker);
    }

    private static OutOfDeviceMemoryException outOfMemory() {
        return new OutOfDeviceMemoryException(new FitReport(
                "m",
                "fake:0",
                Precision.FP32,
                false,
                1,
                new FitReport.Needs(1, 2, 3, 0, 0, 0),
                4,
                5,
                FitReport.Verdict.DOES_NOT_FIT,
                new FitReport.Room(0, 0, Map.of()),
                null,
                "Use less."));
    }

    private static BatchScheduler scheduler(FakeEncoder encoder) {
        return new BatchScheduler(encoder, HIDDEN_SIZE, POSITIONS);
    }

    /** A call and what came back for it. */
    private static final class Call {
        private final List<TokenizedText> texts;
        private final float[][] rows;
        private final EncodeJob job;

        Call(List<TokenizedText> texts, OutputRequest request) {
            this.texts = texts;
            this.rows = new float[texts.size()][];
            this.job = new EncodeJob(
                    texts,
                    request,
                    (row, values, from, length) -> rows[row] = Arrays.copyOfRange(values, from, from + length));
        }

        CompletableFuture<Void> done() {
            return job.done();
        }

        void mustHaveItsVectors() {
            assertThat(job.done()).isCompleted();
            for (int row = 0; row < rows.length; row++) {
                assertThat(rows[row]).as("row %s", row).isEqualTo(FakeEncoder.pooled(texts.get(row), DIMENSION));
            }
        }

        void mustHaveFailedWith(Throwable cause) {
            assertThat(job.done()).isCompletedExceptionally();
            assertThatThrownBy(() -> job.done().join()).hasCause(cause);
        }
    }

    private static TokenizedText text(Random random, int length) {
        int[] ids = random.ints(length, 0, 1000).toArray();
        return new TokenizedText(ids, new int[length], length, random.nextInt(length), List.of());
    }

    /** A call of texts of these lengths. */
    private static Call call(long seed, int... lengths) {
        Random random = new Random(seed);
        return new Call(
                IntStream.of(lengths).mapToObj(length -> text(random, length)).toList(), POOLED);
    }

    private static Call submitted(BatchScheduler scheduler, Call call) {
        scheduler.submit(call.job);
        return call;
    }

    private static List<Integer> lengths(PackedBatch batch) {
        return IntStream.range(0, batch.rows()).map(batch::length).boxed().toList();
    }

    // Merging

    @Test
    void aCallOnAnIdleDeviceLeavesAtOnce() {
        FakeEncoder encoder = encoder(100, 1, steps);
        Call call = submitted(scheduler(encoder), call(1, 5, 3));
        assertThat(encoder.batchSizes()).containsExactly(2);
        steps.next();
        call.mustHaveItsVectors();
        assertThat(encoder.openBlocks()).isZero();
    }

    @Test
    void callsThatComeWhileTheDeviceIsBusyAreMerged() {
        FakeEncoder encoder = encoder(100, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        List<Call> calls = new ArrayList<>();
        for (int seed = 0; seed < 5; seed++) {
            calls.add(submitted(scheduler, call(seed, 4, 2)));
        }
        assertThat(encoder.batchSizes()).as("the first one left alone").containsExactly(2);
        steps.next();
        assertThat(encoder.batchSizes()).as("the others leave together").containsExactly(2, 8);
        steps.next();
        calls.forEach(Call::mustHaveItsVectors);
    }

    @Test
    void onlyCallsThatWantTheSameAreMerged() {
        FakeEncoder encoder = encoder(100, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        submitted(scheduler, call(0, 1));
        Call mean = submitted(scheduler, call(1, 2));
        Call other = submitted(
                scheduler,
                new Call(call(2, 3).texts, new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.CLS), DIMENSION, true)));
        Call meanAgain = submitted(scheduler, call(3, 4));
        steps.all();
        assertThat(encoder.batches().stream().map(BatchSchedulerTest::lengths))
                .containsExactly(List.of(1), List.of(2, 4), List.of(3));
        Stream.of(mean, other, meanAgain).forEach(Call::mustHaveItsVectors);
    }

    @Test
    void tokenVectorsComeByTextWithTheirPositions() {
        FakeEncoder encoder = encoder(100, 1, steps);
        List<TokenizedText> texts = call(1, 2, 5, 1).texts;
        Call call = submitted(scheduler(encoder), new Call(texts, new OutputRequest.Tokens(List.of(1))));
        steps.all();
        for (int row = 0; row < texts.size(); row++) {
            for (int i = 0; i < texts.get(row).length(); i++) {
                int from = i * HIDDEN_SIZE;
                assertThat(Arrays.copyOfRange(call.rows[row], from, from + HIDDEN_SIZE))
                        .isEqualTo(FakeEncoder.token(texts.get(row).ids()[i], i, HIDDEN_SIZE));
            }
        }
    }

    @Test
    void aCallWithoutRowsIsDoneBeforeItBegins() {
        FakeEncoder encoder = encoder(100, 1, steps);
        assertThat(submitted(scheduler(encoder), call(1)).done()).isCompleted();
        assertThat(encoder.batches()).isEmpty();
    }

    // Order and limits

    @Test
    void aCallsLongestRowsGoFirst() {
        FakeEncoder encoder = encoder(10, 1, steps);
        Call call = submitted(scheduler(encoder), call(1, 1, 6, 3, 9, 2, 4));
        steps.all();
        assertThat(encoder.batches().stream().map(BatchSchedulerTest::lengths))
                .containsExactly(List.of(9), List.of(6, 4), List.of(3, 2, 1));
        call.mustHaveItsVectors();
    }

    @Test
    void rowsAreSortedWithinTheirCallOnly() {
        FakeEncoder encoder = encoder(1000, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        submitted(scheduler, call(0, 1));
        submitted(scheduler, call(1, 2, 30, 4));
        submitted(scheduler, call(2, 50, 60));
        steps.all();
        assertThat(lengths(encoder.batches().get(1))).containsExactly(30, 4, 2, 60, 50);
    }

    private static List<Integer> batchTokens(FakeEncoder encoder) {
        return encoder.batches().stream().map(PackedBatch::tokens).toList();
    }

    private static FakeEncoder spreading(int maxTokens, int concurrentBatches, int minTokens, Executor worker) {
        return new FakeEncoder(
                new Encoder.Limits(maxTokens, 1_000_000, concurrentBatches, minTokens), HIDDEN_SIZE, worker);
    }

    @Test
    void aCallIsSpreadEvenlyOverAllThatComputes() {
        FakeEncoder encoder = spreading(100, 2, 8, steps);
        int[] lengths = new int[50];
        Arrays.fill(lengths, 5);
        Call call = submitted(scheduler(encoder), call(1, lengths));
        steps.all();
        assertThat(batchTokens(encoder)).as("not 100, 100 and 50").containsExactly(65, 60, 65, 60);
        call.mustHaveItsVectors();
    }

    @Test
    void aSmallCallIsSpreadButNotTooThin() {
        FakeEncoder encoder = spreading(100, 4, 8, steps);
        BatchScheduler scheduler = scheduler(encoder);
        submitted(scheduler, call(1, 5, 5, 5, 5));
        steps.all();
        assertThat(batchTokens(encoder)).as("two batches of 8 or more").containsExactly(10, 10);
        submitted(scheduler, call(2, 5, 1));
        steps.all();
        assertThat(batchTokens(encoder)).endsWith(10, 6);
    }

    @Test
    void spreadCallsOfAllSizesFitTheLimitsAndLeaveNothing() {
        Random random = new Random(7);
        for (int round = 0; round < 200; round++) {
            FakeEncoder encoder =
                    spreading(10 + random.nextInt(100), 1 + random.nextInt(5), 1 + random.nextInt(10), steps);
            BatchScheduler scheduler = scheduler(encoder);
            List<Call> calls = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                calls.add(submitted(
                        scheduler,
                        call(
                                random.nextInt(),
                                random.ints(1 + random.nextInt(60), 1, 10).toArray())));
            }
            steps.all();
            calls.forEach(Call::mustHaveItsVectors);
        }
    }

    /** The thread of a call may be used for its own rows, never for those of others. */
    @Test
    void aCallersThreadIsLentForTheWholeOfItsCallOnly() {
        FakeEncoder encoder = spreading(100, 2, 8, steps);
        BatchScheduler scheduler = scheduler(encoder);
        submitted(scheduler, call(1, 3));
        submitted(scheduler, call(2, 9, 9));
        submitted(scheduler, call(3, 4));
        steps.all();
        assertThat(encoder.waitedFor().stream().map(BatchSchedulerTest::lengths))
                .containsExactly(List.of(3));
    }

    @Test
    void tokensAndPaddedPairsAreLimited() {
        FakeEncoder encoder = new FakeEncoder(new Encoder.Limits(10, 75, 1), HIDDEN_SIZE, steps);
        Call call = submitted(scheduler(encoder), call(1, 5, 5, 5, 5, 1, 1, 1, 1));
        steps.all();
        // Two rows of 5 are 10 tokens; three padded to 5 are 75 pairs, four would be 100.
        assertThat(encoder.batches().stream().map(BatchSchedulerTest::lengths))
                .containsExactly(List.of(5, 5), List.of(5, 5), List.of(1, 1, 1, 1));
        call.mustHaveItsVectors();
    }

    @Test
    void aRowLongerThanTheBudgetGoesAlone() {
        FakeEncoder encoder = encoder(10, 1, steps);
        Call call = submitted(scheduler(encoder), call(1, 50, 4, 4));
        steps.all();
        assertThat(encoder.batches().stream().map(BatchSchedulerTest::lengths))
                .containsExactly(List.of(50), List.of(4, 4));
        call.mustHaveItsVectors();
    }

    @Test
    void noMoreBatchesAreUnderWayThanTheDeviceTakes() {
        FakeEncoder encoder = encoder(10, 3, steps);
        Call call = submitted(
                scheduler(encoder),
                call(1, IntStream.generate(() -> 10).limit(20).toArray()));
        assertThat(steps.waiting()).isEqualTo(3);
        steps.all();
        assertThat(encoder.mostUnderWay()).isEqualTo(3);
        call.mustHaveItsVectors();
    }

    @Test
    void aSmallCallDoesNotWaitForALargeOne() {
        FakeEncoder encoder = encoder(10, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        Call large = submitted(
                scheduler, call(1, IntStream.generate(() -> 5).limit(1000).toArray()));
        Call small = submitted(scheduler, call(2, 2));
        Call alsoSmall = submitted(scheduler, call(3, 3));
        steps.next(); // the batch that was under way when the small ones came
        steps.next(); // the large call's turn: it has waited since then
        steps.next();
        small.mustHaveItsVectors();
        alsoSmall.mustHaveItsVectors();
        assertThat(large.done()).isNotDone();
        steps.all();
        large.mustHaveItsVectors();
    }

    @Test
    void callsTakeTurns() {
        FakeEncoder encoder = encoder(10, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        submitted(scheduler, call(0, 1));
        Call first = submitted(scheduler, call(1, 10, 10, 10));
        Call second = submitted(scheduler, call(2, 9, 9, 9));
        steps.all();
        assertThat(encoder.batches().stream().map(BatchSchedulerTest::lengths))
                .containsExactly(List.of(1), List.of(10), List.of(9), List.of(10), List.of(9), List.of(10), List.of(9));
        first.mustHaveItsVectors();
        second.mustHaveItsVectors();
    }

    /** A batch that is done before submit returns must not lead one level deeper per batch. */
    @Test
    void anEncoderThatAnswersAtOnceDoesNotOverflowTheStack() {
        FakeEncoder encoder = encoder(1, 1, Runnable::run);
        Call call = submitted(
                scheduler(encoder),
                call(1, IntStream.generate(() -> 1).limit(20_000).toArray()));
        call.mustHaveItsVectors();
        assertThat(encoder.batches()).hasSize(20_000);
    }

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

    // Everything at once

    /** Random calls from three threads at once, on a device that now and then has too little memory. */
    @Test
    void randomPlansEndWithEveryRowInItsPlace() throws Exception {
        ExecutorService workers = Executors.newFixedThreadPool(3);
        ExecutorService callers = Executors.newFixedThreadPool(3);
        try {
            for (int seed = 0; seed < 300; seed++) {
                randomPlan(seed, workers, callers);
            }
        } finally {
            workers.shutdownNow();
            callers.shutdownNow();
        }
    }

    private static void randomPlan(int seed, Executor workers, ExecutorService callers) throws Exception {
        Random random = new Random(seed);
        Encoder.Limits limits =
                new Encoder.Limits(8 + random.nextInt(60), 200 + random.nextInt(3000), 1 + random.nextInt(3));
        int rowsThatFit = random.nextBoolean() ? Integer.MAX_VALUE : 1 + random.nextInt(6);
        FakeEncoder encoder = new FakeEncoder(limits, HIDDEN_SIZE, workers)
                .failing(batch -> batch.rows() > rowsThatFit ? outOfMemory() : null);
        BatchScheduler scheduler = scheduler(encoder);
        List<Call> calls = new ArrayList<>();
        for (int i = 1 + random.nextInt(9); i > 0; i--) {
            calls.add(call(
                    random.nextLong(), random.ints(random.nextInt(40), 1, 20).toArray()));
        }
        List<Call> cancelled =
                calls.stream().filter(call -> random.nextInt(6) == 0).toList();
        CountDownLatch allSubmitted = new CountDownLatch(calls.size());
        for (Call call : calls) {
            callers.execute(() -> {
                scheduler.submit(call.job);
                allSubmitted.countDown();
            });
        }
        cancelled.forEach(call -> call.done().cancel(false));
        allSubmitted.await();
        for (Call call : calls) {
            if (!cancelled.contains(call)) {
                call.done().get();
                call.mustHaveItsVectors();
            }
        }
        scheduler.close();
        assertThat(encoder.mostUnderWay()).as("seed %s", seed).isLessThanOrEqualTo(limits.concurrentBatches());
        assertThat(encoder.openBlocks()).as("seed %s", seed).isZero();
        for (PackedBatch batch : encoder.batches()) {
            assertThat(limits.admits(batch.rows(), batch.tokens(), batch.longestRow()))
                    .isTrue();
        }
    }

    // Other limits

    @Test
    void whilePausedNothingIsUnderWayAndNobodyFails() throws Exception {
        ExecutorService workers = Executors.newFixedThreadPool(3);
        ExecutorService callers = Executors.newFixedThreadPool(4);
        FakeEncoder encoder = encoder(64, 3, workers);
        try (BatchScheduler scheduler = scheduler(encoder)) {
            List<CompletableFuture<Call>> calls = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                int seed = i;
                calls.add(CompletableFuture.supplyAsync(
                        () -> {
                            Call call = submitted(scheduler, call(seed, 5, 40, 17, 3, 29));
                            call.done().join();
                            return call;
                        },
                        callers));
                if (i % 20 == 0) {
                    int budget = i % 40 == 0 ? 200 : 40;
                    scheduler.pauseFor(() -> encoder.resizeBudget(budget));
                }
            }
            for (CompletableFuture<Call> call : calls) {
                call.get().mustHaveItsVectors();
            }
            assertThat(encoder.batches()).anyMatch(batch -> batch.tokens() > 64);
        } finally {
            callers.shutdownNow();
            workers.shutdownNow();
        }
    }

    /** Halves that were cut for a large budget do not go into a small one: they are cut again. */
    @Test
    void waitingHalvesAreCutToTheNewLimits() {
        FakeEncoder encoder = encoder(400, 1, steps).failing(batch -> batch.rows() > 4 ? outOfMemory() : null);
        try (BatchScheduler scheduler = scheduler(encoder)) {
            Call call = submitted(scheduler, call(1, 40, 40, 40, 40, 40, 40, 40, 40));
            // On the failing batch's own thread, before its halves leave.
            CompletableFuture<Void> resized = new CompletableFuture<>();
            Thread resizing = new Thread(() -> {
                scheduler.pauseFor(() -> encoder.resizeBudget(40));
                resized.complete(null);
            });
            resizing.start();
            while (resizing.getState() != Thread.State.WAITING) {
                Thread.onSpinWait();
            }
            steps.next();
            resized.join();
            steps.all();
            call.mustHaveItsVectors();
            assertThat(encoder.batchSizes()).containsExactly(8, 1, 1, 1, 1, 1, 1, 1, 1);
        }
    }

    @Test
    void aFailureWhilePausedLeavesAllAsItWas() {
        FakeEncoder encoder = encoder(64, 1, steps);
        try (BatchScheduler scheduler = scheduler(encoder)) {
            assertThatThrownBy(() -> scheduler.pauseFor(() -> {
                        throw outOfMemory();
                    }))
                    .isInstanceOf(OutOfDeviceMemoryException.class);
            Call call = submitted(scheduler, call(3, 5, 6));
            steps.all();
            call.mustHaveItsVectors();
        }
    }
}
