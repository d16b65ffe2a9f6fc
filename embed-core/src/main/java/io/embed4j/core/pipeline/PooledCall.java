// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.EmbedException;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.core.index.EncodedRows;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spi.DeviceRows;
import io.embed4j.spi.OutputRequest;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One call for pooled vectors: collects rows as they come and puts them together in the order of the texts. A text of
 * several chunks becomes the mean of their vectors, weighted by token count, normalized again where the call asks for
 * unit vectors.
 */
final class PooledCall {
    /** The longest array of the JVMs we know. */
    private static final int MAX_NUMBERS = Integer.MAX_VALUE - 8;

    private final List<List<TokenizedText>> texts;
    private final List<TokenizedText> rows;
    private final OutputRequest.Pooled request;
    private final float[] values;
    private @Nullable EncodeJob job;
    private boolean stays;

    PooledCall(List<List<TokenizedText>> texts, OutputRequest.Pooled request) {
        this.texts = texts;
        this.rows = texts.stream().flatMap(List::stream).toList();
        this.request = request;
        requireRoom(rows.size(), request.dimension());
        this.values = new float[rows.size() * request.dimension()];
    }

    /**
     * Checks that an array can hold vectors.
     *
     * @throws EmbedException if not
     */
    static void requireRoom(long rows, int dimension) {
        if (rows * dimension > MAX_NUMBERS) {
            throw new EmbedException(
                    HelpTopic.TOO_MANY_ROWS,
                    rows + " vectors of " + dimension
                            + " numbers are more than one array can hold. Use stream(...), which needs constant memory.");
        }
    }

    List<TokenizedText> rows() {
        return rows;
    }

    long tokens() {
        return rows.stream().mapToLong(TokenizedText::length).sum();
    }

    OutputRequest.Pooled request() {
        return request;
    }

    void accept(int row, float[] source, int from, int length) {
        System.arraycopy(source, from, values, row * request.dimension(), length);
    }

    /** How many texts. */
    int texts() {
        return texts.size();
    }

    /** Tokens of all texts before they were cut. */
    long tokenCount() {
        return texts.stream()
                .flatMap(List::stream)
                .mapToLong(TokenizedText::tokenCount)
                .sum();
    }

    /** Whether every text is one row: vectors of texts in several chunks are put together on the host. */
    boolean hasOneRowPerText() {
        return rows.size() == texts.size();
    }

    /**
     * Makes the job of this call.
     *
     * @param room where vectors are to stay on the device too; null if nowhere
     */
    synchronized EncodeJob start(@Nullable SharedRoom room) {
        stays = room != null;
        job = new EncodeJob(rows, request, this::accept, room);
        return job;
    }

    /** Lets go of the room, if there is one; what is under way to it goes on. */
    synchronized void releaseRoom() {
        if (stays && job != null && job.room() != null) {
            stays = false;
            job.room().release();
        }
    }

    /** The vectors on device and host, once all rows are in; closing is left to {@link #releaseRoom}. */
    EncodedRows.Slice slice() {
        FloatBuffer vectors = FloatBuffer.wrap(rows.size() == texts.size() ? values : mergedChunks());
        SharedRoom room = job == null ? null : job.room();
        Optional<DeviceRows> there = room == null || job == null
                ? Optional.empty()
                : Optional.of(new DeviceRows(room.block(), job.places(), vectors));
        return new EncodedRows.Slice(vectors, there, this::releaseRoom);
    }

    /** The vectors, once all rows are in. */
    Embeddings result() {
        int count = texts.size();
        int[] tokenCounts = new int[count];
        boolean[] truncated = new boolean[count];
        for (int i = 0; i < count; i++) {
            List<TokenizedText> chunks = texts.get(i);
            tokenCounts[i] = chunks.stream().mapToInt(TokenizedText::tokenCount).sum();
            truncated[i] = chunks.get(0).truncated();
        }
        float[] vectors = rows.size() == count ? values : mergedChunks();
        return Embeddings.of(request.dimension(), vectors, tokenCounts, truncated);
    }

    private float[] mergedChunks() {
        int dimension = request.dimension();
        float[] merged = new float[texts.size() * dimension];
        int row = 0;
        for (int i = 0; i < texts.size(); i++) {
            List<TokenizedText> chunks = texts.get(i);
            double[] sum = new double[dimension];
            double weights = 0;
            for (TokenizedText chunk : chunks) {
                for (int d = 0; d < dimension; d++) {
                    sum[d] += (double) chunk.length() * values[row * dimension + d];
                }
                weights += chunk.length();
                row++;
            }
            double square = 0;
            for (double value : sum) {
                square += value * value;
            }
            boolean unit = request.normalize() && chunks.size() > 1;
            double divisor = unit ? Math.max(Math.sqrt(square), 1e-12) : weights;
            for (int d = 0; d < dimension; d++) {
                merged[i * dimension + d] = (float) (sum[d] / divisor);
            }
        }
        return merged;
    }
}
