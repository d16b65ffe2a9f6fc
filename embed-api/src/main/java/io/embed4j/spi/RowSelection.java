// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a shard that a search may find: the first {@code rows}, or those of them whose bit is set. It does not change,
 * so a search sees the same rows from beginning to end, whatever is added or deleted meanwhile.
 *
 * <pre>{@code
 * BitSet even = new BitSet();
 * even.set(0);
 * even.set(2);
 * RowSelection selection = RowSelection.of(3, even);
 * if (!selection.contains(2) || selection.contains(1) || selection.count() != 2) throw new AssertionError();
 * }</pre>
 *
 * @since 0.1
 */
public final class RowSelection {
    private final int rows;
    private final long @Nullable [] words;

    private RowSelection(int rows, long @Nullable [] words) {
        this.rows = rows;
        this.words = words;
    }

    /**
     * Selects the first rows.
     *
     * @param rows how many
     * @return the selection
     */
    public static RowSelection first(int rows) {
        return new RowSelection(requireCount(rows), null);
    }

    /**
     * Selects rows by their bits.
     *
     * @param rows rows from this number on are not selected
     * @param selected a bit per row; copied
     * @return the selection
     */
    public static RowSelection of(int rows, BitSet selected) {
        return new RowSelection(requireCount(rows), selected.get(0, rows).toLongArray());
    }

    private static int requireCount(int rows) {
        if (rows < 0) {
            throw new IllegalArgumentException("A selection cannot be of " + rows + " rows.");
        }
        return rows;
    }

    /**
     * Returns below which number selected rows lie.
     *
     * @return rows 0 to this - 1 may be selected
     */
    public int rows() {
        return rows;
    }

    /**
     * Tells whether every row below {@link #rows()} is selected, so that no bit need be looked at.
     *
     * @return true for {@link #first}
     */
    public boolean isAll() {
        return words == null;
    }

    /**
     * Tells whether a row is selected.
     *
     * @param row the row
     * @return true if a search may find it
     */
    public boolean contains(int row) {
        return row >= 0 && row < rows && (words == null || (word(row >> 6) & (1L << row)) != 0);
    }

    /**
     * Returns 64 bits at once; where {@link #isAll()}, those below {@link #rows()} are set.
     *
     * @param index bits of the rows from 64 * index on, the lowest first
     * @return the bits; 0 beyond the last row
     */
    public long word(int index) {
        if (words != null) {
            return index < words.length ? words[index] : 0;
        }
        long left = rows - ((long) index << 6);
        return left >= Long.SIZE ? -1L : left <= 0 ? 0 : (1L << left) - 1;
    }

    /**
     * Counts the selected rows.
     *
     * @return 0 to {@link #rows()}
     */
    public int count() {
        if (words == null) {
            return rows;
        }
        int count = 0;
        for (long word : words) {
            count += Long.bitCount(word);
        }
        return count;
    }

    @Override
    public String toString() {
        return count() + " of " + rows + " rows";
    }
}
