// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Threads that scan, one a core, each with its own buffers. They go when there was nothing to do for some seconds. */
final class IndexWorkers implements AutoCloseable {
    private static final int IDLE_SECONDS = 10;

    private final int count = Runtime.getRuntime().availableProcessors();
    private final Queue<BlockScan.Scratch> scratches = new ConcurrentLinkedQueue<>();
    private final ThreadPoolExecutor pool =
            new ThreadPoolExecutor(count, count, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                Thread thread = new Thread(task, "embed4j-cpu-index");
                thread.setDaemon(true);
                return thread;
            });

    IndexWorkers() {
        pool.allowCoreThreadTimeOut(true);
    }

    /** Bytes of all buffers, at most. */
    static long bytes() {
        return Runtime.getRuntime().availableProcessors() * BlockScan.Scratch.BYTES;
    }

    /**
     * Does work on all threads and waits for it.
     *
     * @param pieces how many pieces there are, so that no more threads are called than can have one
     * @param work takes pieces until there are none left; called once by each thread
     */
    void run(int pieces, Consumer<BlockScan.Scratch> work) {
        CompletableFuture<?>[] parts = new CompletableFuture<?>[Math.min(count, pieces)];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = CompletableFuture.runAsync(
                    () -> {
                        BlockScan.Scratch scratch = scratches.poll();
                        scratch = scratch == null ? new BlockScan.Scratch() : scratch;
                        try {
                            work.accept(scratch);
                        } finally {
                            scratches.add(scratch);
                        }
                    },
                    pool);
        }
        try {
            CompletableFuture.allOf(parts).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw e;
        }
    }

    @Override
    public void close() {
        pool.shutdown();
        scratches.clear();
    }
}
