// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.Embeddings;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * A call for pooled vectors, cut into slices of texts that leave as soon as they are tokenized: the device encodes one while
 * the next is tokenized.
 */
final class PooledSlices {
    private final int dimension;
    private final List<PooledCall> slices = new ArrayList<>();
    private final List<CompletableFuture<Void>> underWay = new ArrayList<>();
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private long rows;

    /**
     * Begins with no slices.
     *
     * @param dimension D of the vectors
     */
    @SuppressWarnings("FutureReturnValueIgnored") // only an outcome of done
    PooledSlices(int dimension) {
        this.dimension = dimension;
        done.whenComplete((nothing, failure) -> {
            if (failure != null) {
                cancelAll();
            }
        });
    }

    /**
     * Starts the next slice.
     *
     * @param slice its rows
     * @param start submits it; its future completes when all rows are in
     * @throws io.embed4j.EmbedException if the vectors do not fit into one array
     */
    void add(PooledCall slice, Function<PooledCall, CompletableFuture<Void>> start) {
        rows += slice.rows().size();
        PooledCall.requireRoom(rows, dimension);
        slices.add(slice);
        underWay.add(start.apply(slice));
    }

    /** No slice follows. The first one that fails fails all at once. */
    @SuppressWarnings("FutureReturnValueIgnored") // all outcomes go to done
    PooledSlices complete() {
        underWay.forEach(slice -> slice.whenComplete((nothing, failure) -> {
            if (failure != null) {
                done.completeExceptionally(failure);
            }
        }));
        CompletableFuture.allOf(underWay.toArray(CompletableFuture[]::new)).thenRun(() -> done.complete(null));
        return this;
    }

    /** Drops what waits. */
    void cancelAll() {
        underWay.forEach(slice -> slice.cancel(false));
        slices.forEach(PooledCall::releaseRoom);
    }

    /** Completes when all rows are in; cancelling it drops those that wait. */
    CompletableFuture<Void> done() {
        return done;
    }

    /** Tokens of all slices. */
    long tokens() {
        return slices.stream().mapToLong(PooledCall::tokens).sum();
    }

    /** How many texts in all slices. */
    int texts() {
        return slices.stream().mapToInt(PooledCall::texts).sum();
    }

    /** Tokens of all texts before they were cut. */
    long tokenCount() {
        return slices.stream().mapToLong(PooledCall::tokenCount).sum();
    }

    /** The slices, once all rows are in. */
    List<PooledCall> slices() {
        return List.copyOf(slices);
    }

    /** The vectors of all slices in their order, once all rows are in. */
    Embeddings result() {
        return slices.size() == 1 ? slices.get(0).result() : joined();
    }

    private Embeddings joined() {
        List<Embeddings> parts = slices.stream().map(PooledCall::result).toList();
        int count = parts.stream().mapToInt(Embeddings::size).sum();
        float[] values = new float[count * dimension];
        int[] tokenCounts = new int[count];
        boolean[] truncated = new boolean[count];
        int text = 0;
        for (Embeddings part : parts) {
            for (int i = 0; i < part.size(); i++) {
                System.arraycopy(part.vector(i), 0, values, text * dimension, dimension);
                tokenCounts[text] = part.tokenCount(i);
                truncated[text] = part.truncated(i);
                text++;
            }
        }
        return Embeddings.of(dimension, values, tokenCounts, truncated);
    }
}
