// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.EmbedException;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * The device in the hands of one caller of an index shard at a time: appends and searches take turns, and whoever leaves has
 * nothing under way, whatever became of it.
 */
final class ExclusiveDevice {
    private final CudaContext context;
    private final Runnable settle;

    /** Fair, so that appends and searches alternate. */
    private final ReentrantLock turn = new ReentrantLock(true);

    /**
     * For one shard.
     *
     * @param settle waits for all that is queued; called after work that failed
     */
    ExclusiveDevice(CudaContext context, Runnable settle) {
        this.context = context;
        this.settle = settle;
    }

    /** As {@link #get}, for work without a result. */
    void run(Runnable work) {
        get(() -> {
            work.run();
            return this;
        });
    }

    /**
     * Works alone on the device.
     *
     * @throws EmbedException if the device is lost
     * @throws CudaException if a call fails
     */
    <T> T get(Supplier<T> work) {
        turn.lock();
        try {
            context.makeCurrent();
            boolean done = false;
            try {
                T result = work.get();
                done = true;
                return result;
            } finally {
                if (!done) {
                    settle.run();
                }
            }
        } catch (CudaException e) {
            if (e.isSticky()) {
                throw new EmbedException(
                        context + " was lost while an index was used on it: " + e.getMessage()
                                + " Close this index and build it anew; if that fails too, restart the process.",
                        e);
            }
            throw e;
        } finally {
            turn.unlock();
        }
    }
}
