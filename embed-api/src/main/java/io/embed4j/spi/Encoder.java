// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import java.util.List;
import java.util.Optional;

/**
 * An encoder on a device. Thread-safe.
 *
 * <pre>{@code
 * Function<Encoder, CompletableFuture<VectorBlock>> encode = encoder -> encoder.submit(
 *                 PackedBatch.of(List.of(new int[] {101, 7592, 102})),
 *                 new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.MEAN), 384, true))
 *         .result();
 * }</pre>
 *
 * @since 0.1
 */
public interface Encoder extends AutoCloseable {

    /**
     * Starts encoding a batch and returns at once.
     *
     * @param batch B rows, T tokens, within {@link #limits()}
     * @param request what to return
     * @return the work under way
     * @throws IllegalArgumentException if the batch exceeds the limits
     */
    Submission submit(PackedBatch batch, OutputRequest request);

    /**
     * As {@link #submit}, for a caller who has nothing to do but wait for this batch. The backend may encode it on the
     * calling thread, which spares a small batch being handed over twice; then the result is there on return. By default it
     * does not.
     *
     * @param batch B rows, T tokens, within {@link #limits()}
     * @param request what to return
     * @return the work under way, or done
     * @throws IllegalArgumentException if the batch exceeds the limits
     */
    default Submission submitWaiting(PackedBatch batch, OutputRequest request) {
        return submit(batch, request);
    }

    /**
     * Makes room for vectors where they are computed, such as those that go into an index on the same device or are its
     * queries. The block takes memory of the device until it is closed, and may outlive the encoder. By default there is none.
     *
     * @param rows how many vectors
     * @param dimension numbers of each
     * @return fp32 [rows, dimension], for {@link #submit(PackedBatch, OutputRequest.Pooled, List)}; empty where vectors come to
     *     the host anyway, or where the device has no room
     */
    default Optional<VectorBlock> room(int rows, int dimension) {
        return Optional.empty();
    }

    /**
     * As {@link #submit(PackedBatch, OutputRequest)}, and vectors are copied into rooms of this encoder too, without a detour
     * over the host. They are there when the result is. By default there are no rooms.
     *
     * @param batch B rows, T tokens, within {@link #limits()}
     * @param request what to return
     * @param placements which rows go where; their rooms stay open until the result is there
     * @return the work under way
     * @throws IllegalArgumentException if the batch exceeds the limits
     */
    default Submission submit(PackedBatch batch, OutputRequest.Pooled request, List<Placement> placements) {
        if (!placements.isEmpty()) {
            throw new IllegalArgumentException("This encoder makes no rooms, so vectors cannot go there.");
        }
        return submit(batch, request);
    }

    /**
     * Returns how large a batch may be, and how many are worth having under way.
     *
     * @return the limits
     */
    Limits limits();

    /**
     * Changes the token budget, and takes or gives back the memory that goes with it. The caller sees to it that no batch is
     * under way meanwhile; {@link #limits} are others afterwards.
     *
     * @param maxBatchTokens most tokens in one batch; at least the longest text
     * @throws IllegalArgumentException if the longest text would not go into a batch, or the budget is beyond all measure
     * @throws io.embed4j.OutOfDeviceMemoryException if it does not fit; the budget stays as it was
     */
    void resizeBudget(int maxBatchTokens);

    /**
     * Frees the encoder's memory. Batches under way finish or fail with {@link io.embed4j.EmbedderClosedException};
     * never hangs.
     */
    @Override
    void close();

    /**
     * Consecutive rows of a batch, and where their vectors go.
     *
     * <pre>{@code
     * BiFunction<Encoder, PackedBatch, Optional<Encoder.Placement>> all = (encoder, batch) ->
     *         encoder.room(batch.rows(), 384).map(room -> new Encoder.Placement(0, batch.rows(), room, 0));
     * }</pre>
     *
     * @param batchRow the first row of the batch
     * @param rows how many
     * @param room what {@link #room} made
     * @param roomRow where the first one goes
     */
    record Placement(int batchRow, int rows, VectorBlock room, int roomRow) {}

    /**
     * How large a batch may be.
     *
     * <pre>{@code
     * Encoder.Limits limits = new Encoder.Limits(1024, 262_144, 2);
     * if (!limits.admits(2, 100, 90)) throw new AssertionError();
     * }</pre>
     *
     * @param maxTokens most tokens T in one batch of several rows
     * @param maxPaddedPairs most B * S^2 in one batch of several rows, for backends whose attention pads
     * @param concurrentBatches how many batches keep the device busy
     * @param minTokens fewest tokens that are worth a batch of their own: a call is spread evenly over as many batches as
     *     keep the device busy, but not thinner than this
     */
    record Limits(int maxTokens, long maxPaddedPairs, int concurrentBatches, int minTokens) {
        /**
         * Limits of a device that a full batch suits best: calls are not spread.
         *
         * @param maxTokens most tokens T in one batch of several rows
         * @param maxPaddedPairs most B * S^2 in one batch of several rows
         * @param concurrentBatches how many batches keep the device busy
         */
        public Limits(int maxTokens, long maxPaddedPairs, int concurrentBatches) {
            this(maxTokens, maxPaddedPairs, concurrentBatches, maxTokens);
        }

        /**
         * Tells whether a batch of this shape may be submitted. A single row is always admitted.
         *
         * @param rows B
         * @param tokens T
         * @param longestRow S
         * @return true if it is within the limits
         */
        public boolean admits(int rows, long tokens, int longestRow) {
            return rows <= 1 || (tokens <= maxTokens && (long) rows * longestRow * longestRow <= maxPaddedPairs);
        }
    }
}
