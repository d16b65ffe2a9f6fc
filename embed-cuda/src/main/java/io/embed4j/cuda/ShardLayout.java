// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.DType;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryPlan;

/**
 * The memory of an index shard, planned: pieces of the corpus, and the workspace in which searches run. What is planned is
 * what is allocated, to the byte.
 *
 * <p>The workspace grows with the corpus by steps of four: what a search of a thousand rows needs is little, and above four
 * million rows nothing is gained by more. Its largest parts are the lists of candidates, of which every query of a search
 * gets its share, and a tile of scores that stays in the L2 cache of large devices.
 */
final class ShardLayout {
    /** Queries that are searched together; more are searched in turns. */
    static final int MAX_QUERIES = 512;

    /** Pieces that a corpus may have. All memory of a device makes fewer. */
    static final int MAX_PIECES = 1024;

    private static final int GROWTH_DIVISOR = 4;
    private static final long MAX_PIECE_BYTES = 1L << 30;

    /** 128 rows of more would not fit the slots that rows go through. */
    static final int MAX_DIMENSION = 1 << 17;

    private static final int SMALLEST_TIER = 1024;
    private static final int LARGEST_TIER = 1 << 22;
    private static final int MAX_KEYS = 1 << 23;
    private static final int MAX_TILE_COLUMNS = 8192;
    private static final long MAX_SLOT_BYTES = 16L << 20;
    /** Also the state of a search goes through a slot. */
    private static final long MIN_SLOT_BYTES = 16L << 10;

    /** Pieces begin and end at such rows: whole words of a filter, whole tiles. */
    static final int ROWS_TOGETHER = 128;

    private static final long LARGE_CUBLAS_BYTES = 32L << 20;
    private static final long CUBLAS_BYTES = 4L << 20;
    private static final int HOPPER = 90;
    private static final int ROWS_WORTH_MORE_CUBLAS = 1 << 16;

    /** Elements of a row on the device: 16-byte loads want whole ones. */
    private static final int ELEMENTS_TOGETHER = 8;

    private final int dimension;
    private final DType storage;
    private final int stride;
    private final int tier;
    private final int slotRows;
    private final long cublasBytes;

    private final ArenaLayout arena = new ArenaLayout();
    private final long slots;
    private final long converted;
    private final long convertedFilter;
    private final long largest;
    private final long queryMeasures;
    private final long givenQueries;
    private final long storedQueries;
    private final long state;
    private final long keys;
    private final long scores;
    private final long pieceTable;
    private final long cublas;

    /**
     * Plans a workspace.
     *
     * @param spec width and storage
     * @param rows N, for which it is to be large enough
     * @param computeCapability of the device
     */
    ShardLayout(IndexSpec spec, int rows, int computeCapability) {
        this.dimension = spec.dimension();
        this.storage = spec.storage();
        this.stride = stride(spec.dimension());
        this.tier = tier(rows);
        long rowBytes = (long) dimension * Float.BYTES;
        long fitting = Math.min(tier, MAX_SLOT_BYTES / rowBytes) / ROWS_TOGETHER * ROWS_TOGETHER;
        this.slotRows = (int) Math.max(ROWS_TOGETHER, fitting);
        this.cublasBytes =
                computeCapability >= HOPPER && tier >= ROWS_WORTH_MORE_CUBLAS ? LARGE_CUBLAS_BYTES : CUBLAS_BYTES;
        slots = arena.reserve((long) StagingRing.SLOTS * slotBytes());
        converted = arena.reserve((long) slotRows * stride * storage.bytes());
        convertedFilter = arena.reserve(filterBytes(slotRows));
        largest = arena.reserve(3L * Float.BYTES);
        queryMeasures = arena.reserve(3L * Float.BYTES);
        givenQueries = arena.reserve(MAX_QUERIES * rowBytes);
        storedQueries = arena.reserve((long) MAX_QUERIES * stride * storage.bytes());
        state = arena.reserve(SearchState.BYTES);
        keys = arena.reserve((long) keyCount() * Long.BYTES);
        scores = arena.reserve((long) MAX_QUERIES * tileColumns() * Float.BYTES);
        pieceTable = arena.reserve((long) MAX_PIECES * (Long.BYTES + Integer.BYTES));
        cublas = arena.reserve(cublasBytes);
    }

    /** Elements from row to row. */
    static int stride(int dimension) {
        return (int) ArenaLayout.roundUp(dimension, ELEMENTS_TOGETHER);
    }

    /** Steps of four, so that a growing corpus seldom needs another workspace. */
    static int tier(int rows) {
        int tier = SMALLEST_TIER;
        while (tier < rows && tier < LARGEST_TIER) {
            tier *= 4;
        }
        return tier;
    }

    /** Bytes of a bit per row, in whole words. */
    static long filterBytes(int rows) {
        return ArenaLayout.roundUp(rows, Integer.SIZE) / Byte.SIZE;
    }

    int dimension() {
        return dimension;
    }

    DType storage() {
        return storage;
    }

    int stride() {
        return stride;
    }

    int tier() {
        return tier;
    }

    /** Rows that are uploaded at a time. */
    int slotRows() {
        return slotRows;
    }

    /** At least fp32 [slotRows, dimension]. */
    int slotBytes() {
        return Math.toIntExact(ArenaLayout.roundUp(
                Math.max(MIN_SLOT_BYTES, (long) slotRows * dimension * Float.BYTES), ArenaLayout.ALIGNMENT));
    }

    /** Candidates that all lists together hold. */
    int keyCount() {
        return (int) Math.min(MAX_KEYS, (long) tier * MAX_QUERIES);
    }

    /** Rows that a matrix product takes at a time. */
    int tileColumns() {
        return Math.min(MAX_TILE_COLUMNS, tier);
    }

    /** Candidates that can be collected: they and their float64 scores take the place of the tile. */
    int collectedCount() {
        return (int) ((long) MAX_QUERIES * tileColumns() * Float.BYTES / (2 * Long.BYTES));
    }

    long slots() {
        return slots;
    }

    /** Rows in the storage type, of a slot that is not kept. */
    long converted() {
        return converted;
    }

    long convertedFilter() {
        return convertedFilter;
    }

    /** Three floats: see topk_store_rows.cu. */
    long largest() {
        return largest;
    }

    /** As {@link #largest}, where nobody asks for it: queries are measured on the host. */
    long queryMeasures() {
        return queryMeasures;
    }

    /** fp32 [Q, dimension]. */
    long givenQueries() {
        return givenQueries;
    }

    /** S [Q, stride]. */
    long storedQueries() {
        return storedQueries;
    }

    long state() {
        return state;
    }

    long keys() {
        return keys;
    }

    /** fp32 [Q, tile], or the collected candidates. */
    long scores() {
        return scores;
    }

    /** Float64 scores of the collected candidates. */
    long collectedScores() {
        return scores + (long) collectedCount() * Long.BYTES;
    }

    long pieceTable() {
        return pieceTable;
    }

    long cublas() {
        return cublas;
    }

    long cublasBytes() {
        return cublasBytes;
    }

    /** Bytes of the workspace. */
    long workspaceBytes() {
        return ArenaLayout.roundUp(arena.bytes(), EncoderArena.GRANULE);
    }

    /** What the workspace takes, as the ledger enters it. */
    MemoryPlan workspacePlan() {
        return new MemoryPlan(0, 0, workspaceBytes());
    }

    /**
     * The size of the next piece of a corpus. It depends on nothing but what is there, so that a number of rows takes the
     * same memory however they came: a quarter of all before it, so that pieces stay few, but at most 1 GiB, so that little
     * of the last one is empty.
     *
     * @param bytes of all pieces so far
     */
    long nextPieceBytes(long bytes) {
        long smallest =
                (long) ROWS_TOGETHER * stride * storage.bytes() + ROWS_TOGETHER / Byte.SIZE + ArenaLayout.ALIGNMENT;
        return ArenaLayout.roundUp(
                Math.max(smallest, Math.min(bytes / GROWTH_DIVISOR, MAX_PIECE_BYTES)), EncoderArena.GRANULE);
    }

    /** Rows that fit a piece, a multiple of 128; 0 if none do. */
    int pieceRows(long bytes) {
        long rowBits = (long) stride * storage.bytes() * Byte.SIZE + 1;
        // The filter behind the rows is aligned, which may take a little.
        long fitting = Math.max(0, bytes - ArenaLayout.ALIGNMENT) * Byte.SIZE / rowBits;
        return (int) Math.min(Integer.MAX_VALUE, fitting) / ROWS_TOGETHER * ROWS_TOGETHER;
    }

    /** Offset of the filter in a piece. */
    long pieceFilter(int pieceRows) {
        return ArenaLayout.roundUp((long) pieceRows * stride * storage.bytes(), ArenaLayout.ALIGNMENT);
    }

    /** Bytes of the pieces for so many rows. */
    long corpusBytes(int rows) {
        long bytes = 0;
        long capacity = 0;
        while (capacity < rows) {
            long next = nextPieceBytes(bytes);
            bytes += next;
            capacity += pieceRows(next);
        }
        return bytes;
    }

    /** What a shard of so many rows takes. */
    MemoryPlan plan(int rows) {
        return new MemoryPlan(corpusBytes(rows), 0, workspaceBytes());
    }
}
