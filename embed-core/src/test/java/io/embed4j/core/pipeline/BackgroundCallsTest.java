// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.core.pipeline.BackgroundCalls.Started;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BackgroundCallsTest {
    private final BackgroundCalls calls = new BackgroundCalls("test");

    @AfterEach
    void close() {
        calls.close();
    }

    @Test
    void aCallEndsWhenItsRowsAreIn() {
        CompletableFuture<Void> rows = new CompletableFuture<>();
        CompletableFuture<String> result = calls.start(() -> new Started<>(rows, () -> "vectors"));
        assertThat(result).isNotDone();
        rows.complete(null);
        assertThat(result.join()).isEqualTo("vectors");
    }

    @Test
    void nobodyWaitsOnTheThreads() {
        List<CompletableFuture<Void>> rows = new ArrayList<>();
        List<CompletableFuture<Integer>> results = new ArrayList<>();
        CountDownLatch started = new CountDownLatch(60);
        for (int i = 0; i < 60; i++) {
            int value = i;
            CompletableFuture<Void> own = new CompletableFuture<>();
            rows.add(own);
            results.add(calls.start(() -> {
                started.countDown();
                return new Started<>(own, () -> value);
            }));
        }
        // All sixty run on two threads, although none has ended.
        assertThat(await(started)).isTrue();
        rows.forEach(own -> own.complete(null));
        for (int i = 0; i < 60; i++) {
            assertThat(results.get(i).join()).isEqualTo(i);
        }
    }

    private static boolean await(CountDownLatch latch) {
        try {
            latch.await();
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Test
    void theSixtyFifthCallWaitsForRoom() throws Exception {
        List<CompletableFuture<Void>> rows = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            CompletableFuture<Void> own = new CompletableFuture<>();
            rows.add(own);
            assertThat(calls.start(() -> new Started<>(own, () -> ""))).isNotNull();
        }
        AtomicInteger entered = new AtomicInteger();
        Thread caller = new Thread(() -> {
            CompletableFuture<String> last =
                    calls.start(() -> new Started<>(CompletableFuture.completedFuture(null), () -> ""));
            entered.addAndGet(last.join().isEmpty() ? 1 : 0);
        });
        caller.start();
        while (caller.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertThat(entered).hasValue(0);
        rows.get(40).complete(null);
        caller.join();
        assertThat(entered).hasValue(1);
    }

    @Test
    void waitingForRoomCanBeInterrupted() throws Exception {
        for (int i = 0; i < 64; i++) {
            assertThat(calls.start(() -> new Started<>(new CompletableFuture<>(), () -> "")))
                    .isNotDone();
        }
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread caller = new Thread(() -> {
            try {
                calls.start(() -> new Started<>(new CompletableFuture<>(), () -> ""))
                        .join();
            } catch (EmbedException e) {
                failure.complete(
                        Thread.currentThread().isInterrupted() ? e : new AssertionError("the interrupt is lost"));
            }
        });
        caller.start();
        caller.interrupt();
        assertThat(failure.get()).hasMessage("Interrupted while waiting for room in the queue of background calls.");
    }

    @Test
    void cancellingACallCancelsItsRows() {
        CompletableFuture<Void> rows = new CompletableFuture<>();
        CountDownLatch started = new CountDownLatch(1);
        CompletableFuture<String> result = calls.start(() -> {
            started.countDown();
            return new Started<>(rows, () -> "");
        });
        assertThat(await(started)).isTrue();
        assertThat(result.cancel(true)).isTrue();
        assertThatThrownBy(rows::join).isInstanceOf(CancellationException.class);
    }

    @Test
    void everyFailureReachesTheCaller() {
        EmbedException broken = new EmbedException("broken");
        CompletableFuture<String> refused = calls.start(() -> {
            throw broken;
        });
        assertThatThrownBy(refused::join).hasCause(broken);
        CompletableFuture<String> failing =
                calls.start(() -> new Started<>(CompletableFuture.failedFuture(broken), () -> ""));
        assertThatThrownBy(failing::join).hasCause(broken);
    }

    /** Errors too: whoever waits for a future that nobody completes waits for ever. */
    @Test
    void errorsReachTheCallerToo() {
        LinkageError error = new LinkageError("no native library");
        CompletableFuture<String> refused = calls.start(() -> {
            throw error;
        });
        assertThatThrownBy(refused::join).hasCause(error);
        CompletableFuture<String> merging =
                calls.start(() -> new Started<>(CompletableFuture.completedFuture(null), () -> {
                    throw error;
                }));
        assertThatThrownBy(merging::join).hasCause(error);
    }

    @Test
    void afterClosingCallsAreRefused() {
        calls.close();
        CompletableFuture<String> late =
                calls.start(() -> new Started<>(CompletableFuture.completedFuture(null), () -> ""));
        assertThatThrownBy(late::join)
                .cause()
                .isInstanceOf(EmbedderClosedException.class)
                .hasMessage("The embedder is closed. Build a new one.");
    }
}
