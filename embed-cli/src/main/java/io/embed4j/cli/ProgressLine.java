// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.ProgressListener;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.LongSupplier;

/** How far embedding has come: count, rate and, where the total is known, the time left. */
final class ProgressLine implements ProgressListener, AutoCloseable {
    private final StatusLine line;
    private final long totalTexts;

    /**
     * Draws nothing yet.
     *
     * @param err the terminal
     * @param shown whether anything is drawn at all
     * @param totalTexts how many texts there are; 0 if unknown
     * @param nanoClock tells the time
     */
    ProgressLine(PrintWriter err, boolean shown, long totalTexts, LongSupplier nanoClock) {
        this.line = new StatusLine(err, shown, nanoClock);
        this.totalTexts = totalTexts;
    }

    @Override
    public void onProgress(long texts, long tokens) {
        line.update(() -> {
            double textsPerSecond = texts / line.seconds();
            StringBuilder text = new StringBuilder(texts + (totalTexts > 0 ? " of " + totalTexts : "") + " texts, ");
            text.append(String.format(Locale.ROOT, "%.0f texts/s", textsPerSecond));
            if (totalTexts > texts && textsPerSecond > 0) {
                long secondsLeft = (long) Math.ceil((totalTexts - texts) / textsPerSecond);
                text.append(", ").append(StatusLine.duration(secondsLeft)).append(" left");
            }
            return text.toString();
        });
    }

    @Override
    public void close() {
        line.close();
    }
}
