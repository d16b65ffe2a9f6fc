// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.DownloadListener;
import io.embed4j.DownloadProgress;
import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.LongSupplier;

/** How far a model's download has come: files, bytes, rate and the time left. */
final class DownloadLine implements DownloadListener, AutoCloseable {
    private static final double MEGABYTE = 1e6;

    private final StatusLine line;

    DownloadLine(PrintWriter err, boolean shown, LongSupplier nanoClock) {
        this.line = new StatusLine(err, shown, nanoClock);
    }

    /** A line where a person watches. */
    static DownloadLine on(Terminal terminal) {
        return new DownloadLine(terminal.err(), terminal.errIsTerminal(), System::nanoTime);
    }

    /** Loads a model, with a line while something is downloaded. */
    static Embedder open(EmbedderFactory embedders, EmbedderOptions options, Terminal terminal) {
        try (DownloadLine line = on(terminal)) {
            return embedders.open(options, line);
        }
    }

    @Override
    public void onProgress(DownloadProgress progress) {
        line.update(() -> {
            double bytesPerSecond = progress.bytesDone() / line.seconds();
            String text = String.format(
                    Locale.ROOT,
                    "%s: %d of %d files, %.1f of %.1f MB, %.1f MB/s",
                    progress.model(),
                    progress.filesDone(),
                    progress.files(),
                    progress.bytesDone() / MEGABYTE,
                    progress.bytes() / MEGABYTE,
                    bytesPerSecond / MEGABYTE);
            long left = progress.bytes() - progress.bytesDone();
            return bytesPerSecond > 0 && left > 0
                    ? text + ", " + StatusLine.duration((long) Math.ceil(left / bytesPerSecond)) + " left"
                    : text;
        });
    }

    @Override
    public void close() {
        line.close();
    }
}
