// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.ProgressListener;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;

/**
 * The windows of any number of texts, each done when it is handed out. While one window is encoded those behind it are pulled and tokenized, as
 * many as keep the device busy, so that it never waits for texts; more are not held.
 */
final class EmbeddingStream implements Iterator<PooledSlices>, AutoCloseable {
    /** Texts in a window: enough to sort by length, few enough to be nothing in memory. */
    static final int WINDOW = 512;

    /** The window that is handed out next, and one that is encoded while the caller looks at it. */
    private static final int MIN_AHEAD = 2;

    /** Windows under way, however short their texts. */
    private static final int MAX_AHEAD = 16;

    private final Iterator<String> texts;
    private final Start start;
    private final long tokensAhead;
    private final ProgressListener progress;
    private final Deque<Window> underWay = new ArrayDeque<>();
    private long textsPulled;
    private long textsDone;
    private long tokensDone;
    private boolean closed;

    /** Starts a window and waits for it. */
    interface Start {
        /** Tokenizes and submits texts that stand from {@code firstIndex} on in the stream. */
        PooledSlices start(List<String> window, long firstIndex);

        /** Returns when it is done, or throws what it failed with. */
        void await(CompletableFuture<Void> done);
    }

    /** A window, or why its texts could not be read or it could not be started: told when its turn comes, so that those before it are not lost. */
    private sealed interface Window {
        long tokens();

        record Started(PooledSlices call) implements Window {
            @Override
            public long tokens() {
                return call.tokens();
            }
        }

        record Refused(RuntimeException why) implements Window {
            @Override
            public long tokens() {
                return 0;
            }
        }
    }

    /**
     * Pulls nothing yet.
     *
     * @param tokensAhead tokens under way that keep the device busy
     */
    EmbeddingStream(Iterator<String> texts, Start start, long tokensAhead, ProgressListener progress) {
        this.texts = texts;
        this.start = start;
        this.tokensAhead = tokensAhead;
        this.progress = progress;
    }

    @Override
    public boolean hasNext() {
        return !closed && (!underWay.isEmpty() || texts.hasNext());
    }

    @Override
    public PooledSlices next() {
        if (closed) {
            throw new NoSuchElementException("The stream was closed, or has failed.");
        }
        pullAhead();
        Window window = underWay.poll();
        if (window == null) {
            throw new NoSuchElementException("All texts are embedded.");
        }
        PooledSlices call = done(window);
        textsDone += call.texts();
        tokensDone += call.tokenCount();
        progress.onProgress(textsDone, tokensDone);
        return call;
    }

    /** After a failure nothing follows: texts would be missing in between. */
    private PooledSlices done(Window window) {
        try {
            if (window instanceof Window.Started started) {
                start.await(started.call().done());
                return started.call();
            }
            throw ((Window.Refused) window).why();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Drops the windows that were not handed out. */
    @Override
    public void close() {
        closed = true;
        for (Window window : underWay) {
            if (window instanceof Window.Started started) {
                started.call().cancelAll();
            }
        }
        underWay.clear();
    }

    private void pullAhead() {
        long tokens = underWay.stream().mapToLong(Window::tokens).sum();
        while (texts.hasNext()
                && (underWay.size() < MIN_AHEAD || (tokens < tokensAhead && underWay.size() < MAX_AHEAD))
                && !(underWay.peekLast() instanceof Window.Refused)) {
            Window window = pull();
            tokens += window.tokens();
            underWay.add(window);
        }
    }

    private Window pull() {
        List<String> window = new ArrayList<>(WINDOW);
        try {
            while (window.size() < WINDOW && texts.hasNext()) {
                window.add(texts.next());
            }
            long firstIndex = textsPulled;
            textsPulled += window.size();
            return new Window.Started(start.start(window, firstIndex));
        } catch (RuntimeException e) {
            return new Window.Refused(e);
        }
    }
}
