// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import ai.onnxruntime.OnnxTensor;
import io.embed4j.spec.DType;
import io.embed4j.spi.RowSelection;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One pass over the rows for some queries: workers take blocks of rows one after the other, score them against all queries,
 * and offer what is above the queries' thresholds. A block's scores stay in the cache.
 *
 * <p>A block of fp32 rows is fetched into the cache first, by one read of each of its cache lines in four places at once, which keeps
 * many lines on their way: left to itself, the product reads memory at half that pace. Rows of 16 bits need no such pass: the cast
 * before their product reads them in order.
 */
final class BlockScan {
    /** Scores of a block, 1 MiB. */
    private static final int BLOCK_SCORES = 1 << 18;
    /** Numbers of a block of fp32 rows, 1 MiB: it is to stay in a core's cache from when it is fetched until it is scored. */
    private static final int FP32_NUMBERS = 1 << 18;
    /** Numbers of a block of 16-bit rows, 1 MiB: enough that a run's overhead is nothing beside it. */
    private static final int SIXTEEN_BIT_NUMBERS = 1 << 19;

    private static final int LINE_FLOATS = 16;
    /** More queries are answered in several passes. */
    static final int MAX_QUERIES = 1024;

    private final ScoreSession session;
    private final OnnxTensor queries;
    private final int dimension;
    private final RowSelection selection;
    private final Survivors[] survivors;
    private final List<Block> blocks;
    private final AtomicInteger next = new AtomicInteger();

    /**
     * Consecutive rows.
     *
     * @param firstRow the number of the first
     * @param rows how many
     * @param values their numbers, direct
     */
    record Block(int firstRow, int rows, Buffer values) {}

    /** A worker's buffers, for block after block and scan after scan. */
    static final class Scratch {
        private final FloatBuffer scores = ByteBuffer.allocateDirect(BLOCK_SCORES * Float.BYTES)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        private float[] row = new float[0];
        private float[] passedScores = new float[0];
        private int[] passedRows = new int[0];
        /** What was fetched, so that fetching it is not for nothing in a compiler's eyes. */
        int fetched;

        /** Bytes outside the Java heap. */
        static final long BYTES = (long) BLOCK_SCORES * Float.BYTES;

        private void reserve(int rows) {
            if (row.length < rows) {
                row = new float[rows];
                passedScores = new float[rows];
                passedRows = new int[rows];
            }
        }
    }

    BlockScan(
            ScoreSession session,
            OnnxTensor queries,
            int dimension,
            RowSelection selection,
            Survivors[] survivors,
            List<Block> blocks) {
        this.session = session;
        this.queries = queries;
        this.dimension = dimension;
        this.selection = selection;
        this.survivors = survivors;
        this.blocks = blocks;
    }

    /** How many rows a block has at most. */
    static int blockRows(int queries, int dimension, DType storage) {
        int numbers = storage == DType.FP32 ? FP32_NUMBERS : SIXTEEN_BIT_NUMBERS;
        return Math.min(BLOCK_SCORES / queries, Math.max(16, numbers / dimension));
    }

    /** Works until no block is left; called by every worker. */
    void work(Scratch scratch) {
        for (int at = next.getAndIncrement(); at < blocks.size(); at = next.getAndIncrement()) {
            Block block = blocks.get(at);
            if (selection.isAll() || anySelected(block)) {
                if (block.values() instanceof FloatBuffer rows) {
                    scratch.fetched += fetch(rows);
                }
                session.run(queries, block.values(), block.rows(), dimension, scratch.scores);
                scratch.reserve(block.rows());
                for (int query = 0; query < survivors.length; query++) {
                    select(block, query, scratch);
                }
            }
        }
    }

    /** Reads a number of each cache line, in four places at once. */
    private static int fetch(FloatBuffer rows) {
        int quarter = rows.limit() / 4;
        int sum = 0;
        for (int i = 0; i < quarter; i += LINE_FLOATS) {
            sum += Float.floatToRawIntBits(rows.get(i))
                    + Float.floatToRawIntBits(rows.get(i + quarter))
                    + Float.floatToRawIntBits(rows.get(i + 2 * quarter))
                    + Float.floatToRawIntBits(rows.get(i + 3 * quarter));
        }
        return sum;
    }

    private boolean anySelected(Block block) {
        int end = block.firstRow() + block.rows();
        for (int word = block.firstRow() >> 6; word <= (end - 1) >> 6; word++) {
            if (selection.word(word) != 0) {
                return true;
            }
        }
        return false;
    }

    private void select(Block block, int query, Scratch scratch) {
        int count = block.rows();
        float[] scores = scratch.row;
        scratch.scores.get(query * count, scores, 0, count);
        float threshold = survivors[query].threshold();
        int passed = 0;
        for (int i = 0; i < count; i++) {
            if (scores[i] >= threshold && (selection.isAll() || selection.contains(block.firstRow() + i))) {
                scratch.passedScores[passed] = scores[i];
                scratch.passedRows[passed++] = block.firstRow() + i;
            }
        }
        if (passed > 0) {
            survivors[query].offer(scratch.passedScores, scratch.passedRows, passed);
        }
    }
}
