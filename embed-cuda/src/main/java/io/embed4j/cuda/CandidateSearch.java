// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.spi.RowSelection;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds, for a few hundred queries at most, all rows that can be among the best k.
 *
 * <p>The corpus is taken in batches. Launches append the rows of a batch that reach a query's limit to its list of
 * candidates; a last one raises the limit to the k-th best score so far, less twice the margin, and drops what is below.
 * The first batch is small and each next one three times all before it, so that a batch of a corpus in no particular order
 * adds about 3 k candidates a query. A careful search takes no batch of more rows than every list has room for: no order of
 * rows can exceed it. An eager one takes eight times as many at once, and reports a query as lost whose list was too short
 * for that. Either does so if too many rows are within the margin of the k-th best, near duplicates of it.
 *
 * <p>Nothing waits for the device before the end. Scores come from a kernel that reads the rows once and keeps what reaches
 * the limit, or, for more queries than it can hold, from a matrix product into a tile that stays in the L2 cache.
 */
final class CandidateSearch {
    /** Rows of the first batch, if k is small. */
    private static final int FIRST_BATCH = 4096;

    private static final int GROWTH = 3;

    /** Fewer rows at a time are not worth a launch: then fewer queries are searched together. */
    private static final int SMALLEST_BATCH = 4096;

    private static final int SPARE_CANDIDATES = 1024;

    /** An eager batch takes at most so many times the rows that lists have room for: one in so many may be a candidate. */
    private static final int EAGERNESS = 8;

    private static final int LEAST_EXPECTED = 64;

    private final ShardWorkspace workspace;
    private final ShardLayout layout;
    private final ShardRows rows;
    private final RowSelection selection;
    private final int k;

    /**
     * What was found for a query.
     *
     * @param keys candidates: the ordered bits of the scan's score above, the complement of the row below
     * @param firstOnHost the first row that the host has in fp32
     * @param scores float64 scores of the candidates before it; null if there are none
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Found(long[] keys, int firstOnHost, double @Nullable [] scores) {
        int row(int i) {
            return ~(int) keys[i];
        }

        float scanScore(int i) {
            int ordered = (int) (keys[i] >>> 32);
            return Float.intBitsToFloat(ordered < 0 ? ordered & Integer.MAX_VALUE : ~ordered);
        }
    }

    /**
     * A part of the corpus for one launch.
     *
     * @param piece where it is; null if it is on the host
     * @param from first row, of the piece's; or of all, on the host
     * @param to behind the last
     */
    private record Chunk(@Nullable CorpusPiece piece, int from, int to) {
        int rows() {
            return to - from;
        }

        /** What it may append to a list: whole tiles are told apart from each other, not their rows. */
        int room() {
            return (rows() + TopkKernels.TILE_ROWS - 1) / TopkKernels.TILE_ROWS * TopkKernels.TILE_ROWS;
        }
    }

    /**
     * Prepares searches.
     *
     * @param rows the corpus as it is now
     * @param selection rows that may be found; its bits are with the pieces already ({@link ShardRows#uploadFilter})
     * @param k results per query
     */
    CandidateSearch(ShardWorkspace workspace, ShardRows rows, RowSelection selection, int k) {
        this.workspace = workspace;
        this.layout = workspace.layout();
        this.rows = rows;
        this.selection = selection;
        this.k = k;
    }

    /** Candidates that a list keeps from chunk to chunk, if all goes well. */
    private static int kept(int k) {
        return 2 * k + SPARE_CANDIDATES;
    }

    /** How many queries can be searched together. */
    static int queriesTogether(ShardLayout layout, int k) {
        int byLists = layout.keyCount() / (kept(k) + SMALLEST_BATCH);
        int byCollection = layout.collectedCount() / (k + k / 4 + 64);
        return Math.max(1, Math.min(ShardLayout.MAX_QUERIES, Math.min(byLists, byCollection)));
    }

    /**
     * Searches. The queries are on the device already, as given and as stored.
     *
     * @param margins how far a score may be from the truth, for each query; infinite for what cannot be scanned
     * @param eager whether to take larger batches, which a list may be too short for if rows are in an unlucky order
     * @return what was found for each query; empty for a query that had more candidates than its list holds
     */
    List<Optional<Found>> find(double[] margins, boolean eager) {
        int queries = margins.length;
        int capacity = layout.keyCount() / queries;
        int room = wholeTiles(Math.max(TopkKernels.TILE_ROWS, capacity - kept(k)));
        SearchState state = workspace.state();
        TopkKernels.Lists lists = new TopkKernels.Lists(
                queries,
                workspace.at(layout.keys()),
                capacity,
                state.at(SearchState.COUNTS),
                state.at(SearchState.LIMITS),
                state.at(SearchState.LOST),
                state.at(SearchState.MARGINS));
        begin(state, margins);
        Optional<TopkKernels.Scan> scan = workspace.kernels().scan(layout.storage(), queries, layout.stride());
        List<List<Chunk>> batches = batches(room, eager, scan.isEmpty());
        for (int i = 0; i < batches.size(); i++) {
            batches.get(i).forEach(chunk -> run(chunk, scan, lists));
            int next = i + 1 == batches.size()
                    ? 0
                    : batches.get(i + 1).stream().mapToInt(Chunk::room).sum();
            workspace.kernels().compact(lists, k, Math.min(room, next));
        }
        return collect(lists, state);
    }

    private void begin(SearchState state, double[] margins) {
        workspace.ring().upload(state.base(), SearchState.BEGIN_BYTES, pinned -> {
            for (int q = 0; q < margins.length; q++) {
                boolean lost = !(margins[q] < Float.MAX_VALUE / 4);
                int at = q * Integer.BYTES;
                pinned.putFloat(SearchState.MARGINS + at, lost ? 0 : Math.nextUp((float) margins[q]));
                pinned.putFloat(SearchState.LIMITS + at, lost ? Float.POSITIVE_INFINITY : Float.NEGATIVE_INFINITY);
                pinned.putInt(SearchState.COUNTS + at, 0);
                pinned.putInt(SearchState.LOST + at, lost ? 1 : 0);
            }
            pinned.putInt(SearchState.COLLECTED, 0);
        });
    }

    // ---- chunks ----

    /** Chunks between which limits are not raised. */
    private final class Batches {
        private final List<List<Chunk>> batches = new ArrayList<>();
        private final int listRoom;
        private final boolean eager;
        private long visited;
        private int room;

        Batches(int listRoom, boolean eager) {
            this.listRoom = listRoom;
            this.eager = eager;
        }

        /** Rows of the next batch. */
        private int nextRoom() {
            long growing = Math.max(Math.max(FIRST_BATCH, 4L * k), GROWTH * visited);
            long most = listRoom;
            if (eager) {
                // Of rows in no particular order, k in so many as were visited are candidates; of these, twice as many
                // fit.
                long likelyToFit = listRoom * visited / (2L * Math.max(k, LEAST_EXPECTED));
                most = Math.max(listRoom, Math.min(EAGERNESS * (long) listRoom, likelyToFit));
            }
            return wholeTiles(Math.min(most, growing));
        }

        /** Adds rows [first, end) of a piece, or of the host, in chunks of at most so many rows. */
        void cut(@Nullable CorpusPiece piece, int first, int end, int together, boolean consecutive) {
            int from = first;
            while (from < end) {
                if (room == 0) {
                    room = nextRoom();
                    batches.add(new ArrayList<>());
                }
                int to = (int) Math.min(end, from + (long) Math.min(room, together));
                Chunk chunk = new Chunk(piece, from, to);
                int firstRow = piece == null ? from : piece.firstRow() + from;
                if (!consecutive || anySelected(firstRow, to - from)) {
                    batches.get(batches.size() - 1).add(chunk);
                    room -= chunk.room();
                    visited += to - from;
                }
                from = to;
            }
        }
    }

    private List<List<Chunk>> batches(int listRoom, boolean eager, boolean product) {
        Batches batches = new Batches(listRoom, eager);
        int together = product ? layout.tileColumns() : Integer.MAX_VALUE;
        for (CorpusPiece piece : rows.pieces()) {
            // A scan's chunks are spread over the piece, a product's and a slot's are rows in a row.
            batches.cut(piece, 0, visibleRows(piece), together, product);
        }
        batches.cut(null, rows.resident(), selection.rows(), Math.min(together, layout.slotRows()), true);
        return batches.batches;
    }

    private int visibleRows(CorpusPiece piece) {
        return Math.min(piece.capacity(), Math.min(selection.rows(), rows.resident()) - piece.firstRow());
    }

    private static int wholeTiles(long rows) {
        return (int) (Math.min(rows, Integer.MAX_VALUE) / TopkKernels.TILE_ROWS * TopkKernels.TILE_ROWS);
    }

    private boolean anySelected(int firstRow, int count) {
        if (selection.isAll()) {
            return true;
        }
        for (int word = firstRow / Long.SIZE; word <= (firstRow + count - 1) / Long.SIZE; word++) {
            if (selection.word(word) != 0) {
                return true;
            }
        }
        return false;
    }

    private void run(Chunk chunk, Optional<TopkKernels.Scan> scan, TopkKernels.Lists lists) {
        DevicePointer queries = workspace.at(layout.storedQueries());
        CorpusPiece piece = chunk.piece();
        if (piece == null) {
            rows.stage(chunk.from(), chunk.rows(), selection, staged -> {
                if (scan.isPresent()) {
                    workspace.kernels().scan(scan.get(), lists, staged, 0, staged.tiles(), queries, layout.stride());
                } else {
                    multiply(lists, staged, queries);
                }
            });
            return;
        }
        DevicePointer filter = selection.isAll() ? null : piece.filter();
        if (scan.isPresent()) {
            TopkKernels.Rows all = new TopkKernels.Rows(piece.rows(), piece.firstRow(), visibleRows(piece), filter);
            int endTile = (chunk.to() + TopkKernels.TILE_ROWS - 1) / TopkKernels.TILE_ROWS;
            workspace
                    .kernels()
                    .scan(
                            scan.get(),
                            lists,
                            all,
                            chunk.from() / TopkKernels.TILE_ROWS,
                            endTile,
                            queries,
                            layout.stride());
        } else {
            long skipped =
                    (long) chunk.from() * layout.stride() * layout.storage().bytes();
            multiply(
                    lists,
                    new TopkKernels.Rows(
                            piece.rows().plus(skipped),
                            piece.firstRow() + chunk.from(),
                            chunk.rows(),
                            filter == null ? null : filter.plus(chunk.from() / Byte.SIZE)),
                    queries);
        }
    }

    private void multiply(TopkKernels.Lists lists, TopkKernels.Rows part, DevicePointer queries) {
        workspace
                .kernels()
                .multiplyAndFilter(
                        workspace.gemm(),
                        layout.storage(),
                        lists,
                        part,
                        queries,
                        layout.stride(),
                        workspace.at(layout.scores()));
    }

    // ---- results ----

    private List<Optional<Found>> collect(TopkKernels.Lists lists, SearchState state) {
        DevicePointer collectedKeys = workspace.at(layout.scores());
        DevicePointer collectedScores = workspace.at(layout.collectedScores());
        workspace
                .kernels()
                .collect(
                        lists,
                        collectedKeys,
                        layout.collectedCount(),
                        state.at(SearchState.OFFSETS),
                        state.at(SearchState.COLLECTED));
        boolean rescored = rows.rescoresOnDevice();
        if (rescored) {
            workspace
                    .kernels()
                    .rescore(
                            lists,
                            collectedScores,
                            collectedKeys,
                            state.at(SearchState.OFFSETS),
                            rows.pieceTable(),
                            workspace.at(layout.givenQueries()),
                            layout.dimension(),
                            layout.stride());
        }
        int queries = lists.queries();
        int[] counts = new int[queries];
        int[] lost = new int[queries];
        int[] offsets = new int[queries];
        workspace.ring().download(state.at(SearchState.COUNTS), SearchState.END_BYTES, pinned -> {
            read(pinned, 0, counts);
            read(pinned, SearchState.LOST - SearchState.COUNTS, lost);
            read(pinned, SearchState.OFFSETS - SearchState.COUNTS, offsets);
        });
        int end = 0;
        for (int q = 0; q < queries; q++) {
            end = offsets[q] < 0 ? end : Math.max(end, offsets[q] + counts[q]);
        }
        long[] keys = download(collectedKeys, end);
        long[] scores = rescored ? download(collectedScores, end) : null;
        List<Optional<Found>> found = new ArrayList<>();
        for (int q = 0; q < queries; q++) {
            found.add(
                    lost[q] != 0 || offsets[q] < 0
                            ? Optional.empty()
                            : Optional.of(found(keys, scores, offsets[q], counts[q])));
        }
        return found;
    }

    private static void read(ByteBuffer from, int at, int[] to) {
        from.slice(at, to.length * Integer.BYTES)
                .order(from.order())
                .asIntBuffer()
                .get(to);
    }

    private long[] download(DevicePointer from, int count) {
        long[] values = new long[count];
        int[] at = {0};
        workspace.ring().download(from, (long) count * Long.BYTES, pinned -> {
            int piece = pinned.remaining() / Long.BYTES;
            pinned.asLongBuffer().get(values, at[0], piece);
            at[0] += piece;
        });
        return values;
    }

    private Found found(long[] keys, long @Nullable [] scores, int offset, int count) {
        long[] mine = new long[count];
        System.arraycopy(keys, offset, mine, 0, count);
        if (scores == null) {
            return new Found(mine, rows.firstOnHost(), null);
        }
        double[] exact = new double[count];
        for (int i = 0; i < count; i++) {
            exact[i] = Double.longBitsToDouble(scores[offset + i]);
        }
        return new Found(mine, rows.firstOnHost(), exact);
    }
}
