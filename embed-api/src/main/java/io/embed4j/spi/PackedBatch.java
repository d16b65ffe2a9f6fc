// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import java.util.List;
import java.util.stream.IntStream;

/**
 * B texts as T tokens one behind the other, without padding. Row b owns tokens cuSeqLens[b] to cuSeqLens[b + 1] - 1.
 *
 * <pre>{@code
 * PackedBatch batch = PackedBatch.of(List.of(new int[] {101, 7592, 102}, new int[] {101, 102}));
 * if (batch.rows() != 2 || batch.tokens() != 5 || batch.longestRow() != 3) throw new AssertionError();
 * }</pre>
 *
 * @param tokenIds [T]
 * @param typeIds [T] token types (segments)
 * @param positions [T] row of the position table for each token, or its place in the text, as the spec's
 *     {@link io.embed4j.spec.EmbeddingSpec.Positions#rows} gives them
 * @param cuSeqLens [B + 1] cumulative row lengths, from 0 to T
 * @param poolStarts [B] first token of each row that mean-like pooling sees; past a prompt that is not pooled, else 0
 * @param longestRow S
 * @since 0.1
 */
@SuppressWarnings("ArrayRecordComponent") // the arrays are handed to native code as they are
public record PackedBatch(
        int[] tokenIds, int[] typeIds, int[] positions, int[] cuSeqLens, int[] poolStarts, int longestRow) {

    /**
     * Packs rows of token type 0 whose positions count every token from 0.
     *
     * @param rows token ids of each row, none empty
     * @return the batch
     */
    public static PackedBatch of(List<int[]> rows) {
        return of(
                rows,
                rows.stream().map(row -> new int[row.length]).toList(),
                rows.stream()
                        .map(row -> IntStream.range(0, row.length).toArray())
                        .toList(),
                new int[rows.size()]);
    }

    /**
     * Packs rows.
     *
     * @param rows token ids of each row, none empty
     * @param types token types of each row
     * @param positions positions of each row
     * @param poolStarts [B] first token of each row that is pooled
     * @return the batch
     * @throws IllegalArgumentException if there is no row, one is empty, or the sizes do not fit together
     */
    public static PackedBatch of(List<int[]> rows, List<int[]> types, List<int[]> positions, int[] poolStarts) {
        if (types.size() != rows.size() || positions.size() != rows.size() || poolStarts.length != rows.size()) {
            throw new IllegalArgumentException("Sizes do not fit: " + rows.size() + " rows, " + types.size()
                    + " rows of token types, " + positions.size() + " of positions, " + poolStarts.length
                    + " pool starts.");
        }
        int[] cuSeqLens = new int[rows.size() + 1];
        int longest = 0;
        for (int row = 0; row < rows.size(); row++) {
            int length = rows.get(row).length;
            if (length == 0) {
                throw new IllegalArgumentException("Row " + row + " has no tokens.");
            }
            if (types.get(row).length != length || positions.get(row).length != length) {
                throw new IllegalArgumentException("Row " + row + " has " + length + " tokens but "
                        + types.get(row).length + " token types and " + positions.get(row).length + " positions.");
            }
            cuSeqLens[row + 1] = Math.addExact(cuSeqLens[row], length);
            longest = Math.max(longest, length);
        }
        if (rows.isEmpty()) {
            throw new IllegalArgumentException("A batch needs at least one row.");
        }
        int tokens = cuSeqLens[rows.size()];
        int[] tokenIds = new int[tokens];
        int[] typeIds = new int[tokens];
        int[] packedPositions = new int[tokens];
        for (int row = 0; row < rows.size(); row++) {
            int from = cuSeqLens[row];
            int length = rows.get(row).length;
            System.arraycopy(rows.get(row), 0, tokenIds, from, length);
            System.arraycopy(types.get(row), 0, typeIds, from, length);
            System.arraycopy(positions.get(row), 0, packedPositions, from, length);
        }
        return new PackedBatch(tokenIds, typeIds, packedPositions, cuSeqLens, poolStarts, longest);
    }

    /**
     * Returns how many texts there are.
     *
     * @return B
     */
    public int rows() {
        return cuSeqLens.length - 1;
    }

    /**
     * Returns how many tokens there are.
     *
     * @return T
     */
    public int tokens() {
        return tokenIds.length;
    }

    /**
     * Returns the length of one row.
     *
     * @param row 0 to B - 1
     * @return tokens
     */
    public int length(int row) {
        return cuSeqLens[row + 1] - cuSeqLens[row];
    }
}
