// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import java.nio.ByteBuffer;

/** How fast this machine's memory is. */
final class MemoryPace {
    private static final int COPY_BYTES = 1 << 28;

    private MemoryPace() {}

    /** How fast memory can be read, by a large copy that reads and writes on all cores; half of its traffic is reading. */
    static double readBytesPerSecond() {
        int threads = Runtime.getRuntime().availableProcessors();
        ByteBuffer[] from = new ByteBuffer[threads];
        ByteBuffer[] to = new ByteBuffer[threads];
        for (int t = 0; t < threads; t++) {
            from[t] = ByteBuffer.allocateDirect(COPY_BYTES);
            to[t] = ByteBuffer.allocateDirect(COPY_BYTES);
        }
        double best = 0;
        for (int round = 0; round < 5; round++) {
            long start = System.nanoTime();
            Thread[] copiers = new Thread[threads];
            for (int t = 0; t < threads; t++) {
                int mine = t;
                copiers[t] = new Thread(() -> to[mine].put(0, from[mine], 0, COPY_BYTES));
                copiers[t].start();
            }
            for (Thread copier : copiers) {
                join(copier);
            }
            best = Math.max(best, 2.0 * threads * COPY_BYTES / ((System.nanoTime() - start) / 1e9));
        }
        return best;
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
