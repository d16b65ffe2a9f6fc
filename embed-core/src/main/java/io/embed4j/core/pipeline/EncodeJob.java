// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.core.text.TokenizedText;
import io.embed4j.spi.OutputRequest;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The rows of one call on their way through the scheduler, longest first. */
final class EncodeJob {
    /** Takes a row's numbers. */
    @FunctionalInterface
    interface RowSink {
        /**
         * A row is ready.
         *
         * @param row place in the call
         * @param values holds the row's numbers
         * @param from where they begin
         * @param length how many
         */
        void accept(int row, float[] values, int from, int length);
    }

    private final List<TokenizedText> texts;
    private final OutputRequest request;
    private final RowSink sink;
    private final Deque<Integer> waiting;
    private final AtomicInteger unfinished;
    private final CompletableFuture<Void> done = new CompletableFuture<>();

    EncodeJob(List<TokenizedText> texts, OutputRequest request, RowSink sink) {
        this.texts = texts;
        this.request = request;
        this.sink = sink;
        this.unfinished = new AtomicInteger(texts.size());
        // Longest first: rows of a batch then have similar lengths, and backends that pad attention pad little.
        this.waiting = new ArrayDeque<>(IntStream.range(0, texts.size())
                .boxed()
                .sorted(Comparator.comparing((Integer row) -> texts.get(row).length())
                        .reversed())
                .toList());
        if (texts.isEmpty()) {
            done.complete(null);
        }
    }

    OutputRequest request() {
        return request;
    }

    TokenizedText text(int row) {
        return texts.get(row);
    }

    CompletableFuture<Void> done() {
        return done;
    }

    /** Whether no row waits any more, or nobody waits for them. Guarded by the scheduler's lock. */
    boolean isDrained() {
        return waiting.isEmpty() || done.isDone();
    }

    /** The longest row that waits. Guarded by the scheduler's lock. */
    @Nullable
    Integer peek() {
        return waiting.peek();
    }

    /** Takes the longest row that waits. Guarded by the scheduler's lock. */
    int take() {
        return waiting.remove();
    }

    void finishRow(int row, float[] values, int from, int length) {
        sink.accept(row, values, from, length);
        if (unfinished.decrementAndGet() == 0) {
            done.complete(null);
        }
    }

    void fail(Throwable failure) {
        done.completeExceptionally(failure);
    }
}
