// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.core.text.TokenizedText;
import io.embed4j.spi.Encoder;
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

    private static final long NOT_SPREAD_YET = -1;

    /** A call of so many full batches for each worker ends in small ones. */
    private static final int BATCHES_OF_LONG_CALL = 4;

    /** So many of a long call's last batches make a full one; in smaller ones a batch's fixed cost shows. */
    private static final int LAST_BATCHES_OF_A_FULL_ONE = 4;

    private final List<TokenizedText> texts;
    private final OutputRequest request;
    private final RowSink sink;
    private final @Nullable SharedRoom room;
    private final int[] places;
    private final Deque<Integer> waiting;
    private final AtomicInteger unfinished;

    /** Tokens of the rows that wait. Guarded by the scheduler's lock, like the next. */
    private long waitingTokens;

    /** In how many batches they should leave, as far as is known. */
    private long batchesLeft = NOT_SPREAD_YET;

    /** Whether its last batches become smaller and smaller. */
    private boolean tapers;

    private final CompletableFuture<Void> done = new CompletableFuture<>();

    EncodeJob(List<TokenizedText> texts, OutputRequest request, RowSink sink) {
        this(texts, request, sink, null);
    }

    /**
     * Prepares a call.
     *
     * @param room gets the vectors too, on the device, in the order of {@link #places}; null for none
     */
    EncodeJob(List<TokenizedText> texts, OutputRequest request, RowSink sink, @Nullable SharedRoom room) {
        this.texts = texts;
        this.request = request;
        this.sink = sink;
        this.room = room;
        this.unfinished = new AtomicInteger(texts.size());
        this.waitingTokens = texts.stream().mapToLong(TokenizedText::length).sum();
        // Longest first: rows of a batch then have similar lengths, and backends that pad attention pad little.
        this.waiting = new ArrayDeque<>(IntStream.range(0, texts.size())
                .boxed()
                .sorted(Comparator.comparing((Integer row) -> texts.get(row).length())
                        .reversed())
                .toList());
        this.places = new int[texts.size()];
        int place = 0;
        for (int row : waiting) {
            places[row] = place++;
        }
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

    /** Where vectors stay on the device; null if they do not. */
    @Nullable
    SharedRoom room() {
        return room;
    }

    /** By row, when it leaves: rows of a batch that follow each other here lie side by side in the room. */
    int[] places() {
        return places;
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
        int row = waiting.remove();
        waitingTokens -= texts.get(row).length();
        return row;
    }

    /**
     * How many tokens the call's next batch should have. Where small batches are worth it, batches are of one size and
     * their number keeps the device busy to the end: three full ones on two cores would leave a core idle for a quarter of
     * the time. Cores are never equally fast, though, so the last batches of a long call become smaller and smaller: whoever is
     * done early takes another one. Guarded by the scheduler's lock.
     */
    long takeShare(Encoder.Limits limits) {
        if (limits.minTokens() >= limits.maxTokens()) {
            return limits.maxTokens();
        }
        long full = ceilDiv(waitingTokens, limits.maxTokens());
        long even = ceilDiv(full, limits.concurrentBatches()) * limits.concurrentBatches();
        long spread = Math.min(even, Math.max(full, waitingTokens / limits.minTokens()));
        // While batches of this call are under way the number left need not be even. Merging may have made it less.
        if (batchesLeft == NOT_SPREAD_YET) {
            batchesLeft = Math.max(1, spread);
            tapers = limits.concurrentBatches() > 1 && full >= (long) BATCHES_OF_LONG_CALL * limits.concurrentBatches();
        } else {
            batchesLeft = Math.max(1, Math.min(batchesLeft - 1, spread + limits.concurrentBatches() - 1));
        }
        long share = ceilDiv(waitingTokens, batchesLeft);
        if (!tapers) {
            return share;
        }
        long halfOfEachWorkers = ceilDiv(waitingTokens, 2L * limits.concurrentBatches());
        return Math.min(share, Math.max(halfOfEachWorkers, limits.maxTokens() / LAST_BATCHES_OF_A_FULL_ONE));
    }

    private static long ceilDiv(long numerator, long denominator) {
        return (numerator + denominator - 1) / denominator;
    }

    /** Whether these are all rows of the call. */
    boolean hasRows(int count) {
        return texts.size() == count;
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
