// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.HelpTopic;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/**
 * Calls that run in the background: at most {@value #MAX_CALLS} at a time, a further one blocks its caller. The threads
 * only tokenize and submit; nobody waits on them.
 */
final class BackgroundCalls implements AutoCloseable {
    private static final int MAX_CALLS = 64;

    private final Semaphore room = new Semaphore(MAX_CALLS);
    private final ExecutorService threads;

    /**
     * A call that is under way.
     *
     * @param rows completes when all rows are in; cancelling it drops those that wait
     * @param result makes the result then
     */
    record Started<T>(CompletableFuture<Void> rows, Supplier<T> result) {}

    BackgroundCalls(String name) {
        threads = Executors.newFixedThreadPool(2, task -> {
            Thread thread = new Thread(task, "embed4j-async-" + name);
            thread.setDaemon(true);
            return thread;
        });
    }

    @SuppressWarnings("FutureReturnValueIgnored") // the stage only gives the room back
    <T> CompletableFuture<T> start(Supplier<Started<T>> call) {
        try {
            room.acquire();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EmbedException(
                    HelpTopic.INTERRUPTED, "Interrupted while waiting for room in the queue of background calls.", e);
        }
        CompletableFuture<T> result = new CompletableFuture<>();
        result.whenComplete((value, failure) -> room.release());
        try {
            threads.execute(() -> run(call, result));
        } catch (RejectedExecutionException e) {
            result.completeExceptionally(new EmbedderClosedException("The embedder is closed. Build a new one.", e));
        }
        return result;
    }

    @SuppressWarnings("FutureReturnValueIgnored") // both outcomes go into the result
    private static <T> void run(Supplier<Started<T>> call, CompletableFuture<T> result) {
        if (result.isDone()) {
            return;
        }
        try {
            Started<T> started = call.get();
            result.whenComplete((value, failure) -> started.rows().cancel(false));
            started.rows().whenComplete((nothing, failure) -> {
                if (failure != null) {
                    result.completeExceptionally(failure);
                } else {
                    complete(result, started.result());
                }
            });
        } catch (RuntimeException | Error e) {
            result.completeExceptionally(e);
        }
    }

    private static <T> void complete(CompletableFuture<T> result, Supplier<T> value) {
        try {
            result.complete(value.get());
        } catch (RuntimeException | Error e) {
            result.completeExceptionally(e);
        }
    }

    @Override
    public void close() {
        threads.shutdown();
    }
}
