// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.ProgressListener;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * One line on a terminal that is overwritten as work proceeds: count, rate and, where the total is known, the time left.
 * Erased by {@link #close()}.
 */
final class ProgressLine implements ProgressListener, AutoCloseable {
    private static final long REDRAW_NANOS = 200_000_000;

    private final PrintWriter err;
    private final boolean shown;
    private final long totalTexts;
    private final LongSupplier nanoClock;
    private final long startNanos;
    private long drawnNanos;
    private int drawnLength;

    /**
     * Draws nothing yet.
     *
     * @param err the terminal
     * @param shown whether anything is drawn at all
     * @param totalTexts how many texts there are; 0 if unknown
     * @param nanoClock tells the time
     */
    ProgressLine(PrintWriter err, boolean shown, long totalTexts, LongSupplier nanoClock) {
        this.err = err;
        this.shown = shown;
        this.totalTexts = totalTexts;
        this.nanoClock = nanoClock;
        this.startNanos = nanoClock.getAsLong();
        this.drawnNanos = startNanos;
    }

    @Override
    public void onProgress(long texts, long tokens) {
        long now = nanoClock.getAsLong();
        if (!shown || now - drawnNanos < REDRAW_NANOS) {
            return;
        }
        drawnNanos = now;
        double textsPerSecond = texts / ((now - startNanos) / 1e9);
        StringBuilder line = new StringBuilder(texts + (totalTexts > 0 ? " of " + totalTexts : "") + " texts, ");
        line.append(String.format(Locale.ROOT, "%.0f texts/s", textsPerSecond));
        if (totalTexts > texts && textsPerSecond > 0) {
            long secondsLeft = (long) Math.ceil((totalTexts - texts) / textsPerSecond);
            line.append(", ").append(duration(secondsLeft)).append(" left");
        }
        draw(line.toString());
    }

    @Override
    public void close() {
        if (drawnLength > 0) {
            draw("");
            err.print('\r');
            err.flush();
        }
    }

    /** Returns m:ss or h:mm:ss. */
    static String duration(long seconds) {
        return seconds < 3600
                ? String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60)
                : String.format(Locale.ROOT, "%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }

    private void draw(String line) {
        String rest = " ".repeat(Math.max(0, drawnLength - line.length()));
        err.print('\r' + line + rest);
        err.flush();
        drawnLength = line.length();
    }
}
