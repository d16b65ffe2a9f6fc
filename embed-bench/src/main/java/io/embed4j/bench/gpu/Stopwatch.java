// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import java.util.Arrays;

/** Times work within the seconds that are left. */
final class Stopwatch {
    private static final double NANOS = 1e9;

    private final long end;

    Stopwatch(double seconds) {
        this.end = System.nanoTime() + (long) (seconds * NANOS);
    }

    boolean isLate() {
        return System.nanoTime() > end;
    }

    /** The median of some runs: at least one, and no more once time is up. */
    double medianSeconds(Runnable work, int runs, int warmUp) {
        for (int run = 0; run < warmUp && !isLate(); run++) {
            work.run();
        }
        double[] seconds = new double[runs];
        int done = 0;
        while (done < runs && (done == 0 || !isLate())) {
            long start = System.nanoTime();
            work.run();
            seconds[done++] = (System.nanoTime() - start) / NANOS;
        }
        Arrays.sort(seconds, 0, done);
        return seconds[done / 2];
    }
}
