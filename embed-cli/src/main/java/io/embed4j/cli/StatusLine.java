// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** One line on a terminal that is overwritten as work proceeds, some times a second. Erased by {@link #close()}. */
final class StatusLine implements AutoCloseable {
    private static final long REDRAW_NANOS = 200_000_000;

    private final PrintWriter err;
    private final boolean shown;
    private final LongSupplier nanoClock;
    private final long startNanos;
    private long drawnNanos;
    private int drawnLength;

    /**
     * Draws nothing yet.
     *
     * @param err the terminal
     * @param shown whether anything is drawn at all
     * @param nanoClock tells the time
     */
    StatusLine(PrintWriter err, boolean shown, LongSupplier nanoClock) {
        this.err = err;
        this.shown = shown;
        this.nanoClock = nanoClock;
        this.startNanos = nanoClock.getAsLong();
        this.drawnNanos = startNanos;
    }

    /** Seconds since the beginning. */
    double seconds() {
        return (nanoClock.getAsLong() - startNanos) / 1e9;
    }

    /** Draws, unless it did so just now. */
    void update(Supplier<String> text) {
        long now = nanoClock.getAsLong();
        if (shown && now - drawnNanos >= REDRAW_NANOS) {
            drawnNanos = now;
            draw(text.get());
        }
    }

    /** A line that wraps could not be overwritten. */
    private void draw(String text) {
        String line = fitting(text, System.getenv("EMBED_STDERR_COLUMNS"));
        String rest = " ".repeat(Math.max(0, drawnLength - line.length()));
        err.print('\r' + line + rest);
        err.flush();
        drawnLength = line.length();
    }

    @Override
    public void close() {
        if (drawnLength > 0) {
            draw("");
            err.print('\r');
            err.flush();
        }
    }

    /**
     * Cuts a line to a terminal's width, less the column of the cursor.
     *
     * @param columns the width as the launcher tells it; whole lines are drawn where it is none
     */
    static String fitting(String line, @Nullable String columns) {
        boolean known = columns != null && columns.matches("[1-9]\\d{0,5}");
        return known ? line.substring(0, Math.min(line.length(), Integer.parseInt(columns) - 1)) : line;
    }

    /** Returns m:ss or h:mm:ss. */
    static String duration(long seconds) {
        return seconds < 3600
                ? String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60)
                : String.format(Locale.ROOT, "%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
}
