// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BatchSchedulerTest extends SchedulerCalls {
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
                .containsExactly(List.of(1), List.of(4, 2), List.of(3));
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
    void rowsOfMergedCallsAreSortedByLength() {
        FakeEncoder encoder = encoder(1000, 1, steps);
        BatchScheduler scheduler = scheduler(encoder);
        submitted(scheduler, call(0, 1));
        submitted(scheduler, call(1, 2, 30, 4));
        submitted(scheduler, call(2, 50, 60));
        steps.all();
        assertThat(lengths(encoder.batches().get(1))).containsExactly(60, 50, 30, 4, 2);
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
    void aLongCallEndsInSmallBatches() {
        FakeEncoder encoder = spreading(100, 2, 8, steps);
        int[] lengths = new int[200];
        Arrays.fill(lengths, 5);
        Call call = submitted(scheduler(encoder), call(1, lengths));
        steps.all();
        assertThat(batchTokens(encoder))
                .as("a core that is late holds the others up by a small batch only")
                .containsExactly(100, 100, 100, 100, 100, 100, 100, 75, 55, 45, 30, 25, 25, 25, 20);
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
                    calls.get(Math.max(0, i - 10)).join(); // every budget has calls, however slow the callers are
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
