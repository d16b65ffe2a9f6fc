// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Executor;

/** Runs tasks when the test says so, on the test's thread: a device that is busy for as long as one likes. */
final class Steps implements Executor {
    private final Deque<Runnable> waiting = new ConcurrentLinkedDeque<>();

    @Override
    public void execute(Runnable task) {
        waiting.add(task);
    }

    /** Runs the task that has waited longest. */
    void next() {
        waiting.remove().run();
    }

    /** Runs tasks until none is left, also those that come meanwhile. */
    void all() {
        while (!waiting.isEmpty()) {
            next();
        }
    }

    int waiting() {
        return waiting.size();
    }
}
