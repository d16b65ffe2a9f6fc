// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.Hits;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which id each row has, a number or a string, and which row each id has. Written by one thread at a time. Readers take
 * {@link #labels()}: later rows are written beyond those that a reader knows of, or into a new array.
 *
 * <p>Numbers that count the rows from 0, as they do where nobody names rows, need no map: they cost 8 bytes a row.
 */
final class RowIds {
    private final boolean strings;
    private long[] numbers = new long[0];
    private @Nullable String[] names = new String[0];
    private int rows;
    private long following;

    /** Null while every id is its row's number. */
    private @Nullable Map<Object, Integer> rowOf;

    /**
     * The ids of rows as a reader sees them.
     *
     * @param numbers by row; empty if ids are strings
     * @param names by row; empty if ids are numbers
     */
    @SuppressWarnings("ArrayRecordComponent")
    record Labels(long[] numbers, @Nullable String[] names) {
        /** Puts ids in the place of row numbers. */
        Hits of(Hits found) {
            int k = found.k();
            long[] ids = new long[found.queries() * k];
            float[] scores = new float[ids.length];
            @Nullable String[] strings = names.length == 0 ? null : new String[ids.length];
            for (int i = 0; i < ids.length; i++) {
                int row = (int) found.id(i / k, i % k);
                scores[i] = found.score(i / k, i % k);
                ids[i] = row < 0 || names.length > 0 ? row : numbers[row];
                if (strings != null && row >= 0) {
                    strings[i] = names[row];
                }
            }
            return strings == null ? new Hits(k, ids, scores) : Hits.ofStrings(k, ids, scores, strings);
        }
    }

    RowIds(boolean strings) {
        this.strings = strings;
        this.rowOf = strings ? new HashMap<>() : null;
    }

    int rows() {
        return rows;
    }

    boolean areStrings() {
        return strings;
    }

    Labels labels() {
        return new Labels(numbers, names);
    }

    /** Appends rows with the numbers that follow the largest one. */
    void appendFollowing(int count) {
        reserve(count);
        for (int i = 0; i < count; i++) {
            put(following, true);
        }
    }

    /** Appends rows with these numbers, which are new. */
    void append(long[] ids) {
        reserve(ids.length);
        for (long id : ids) {
            put(id, true);
        }
    }

    /** Appends rows with these strings, which are new. */
    void append(List<String> ids) {
        reserve(ids.size());
        for (String id : ids) {
            put(id, true);
        }
    }

    /** Appends rows of a saved index, of which some were deleted: their ids lead nowhere. */
    void append(Labels saved, int count, BitSet deletedRows) {
        reserve(count);
        for (int i = 0; i < count; i++) {
            boolean alive = !deletedRows.get(rows);
            if (strings) {
                put(String.valueOf(saved.names()[i]), alive);
            } else {
                put(saved.numbers()[i], alive);
            }
        }
    }

    /**
     * Remembers the rows that there are.
     *
     * @return forgets all that came since
     */
    Runnable mark() {
        int rowsBefore = rows;
        long followingBefore = following;
        boolean counted = rowOf == null;
        return () -> {
            if (counted) {
                rowOf = null;
            } else if (rowOf != null) {
                for (int row = rowsBefore; row < rows; row++) {
                    rowOf.remove(strings ? names[row] : (Object) numbers[row]);
                }
            }
            rows = rowsBefore;
            following = followingBefore;
        };
    }

    private void put(long id, boolean alive) {
        if (rowOf == null && (id != rows || !alive)) {
            rowOf = new HashMap<>();
            for (int row = 0; row < rows; row++) {
                rowOf.put(numbers[row], row);
            }
        }
        if (rowOf != null && alive) {
            rowOf.put(id, rows);
        }
        numbers[rows++] = id;
        following = Math.max(following, id + 1);
    }

    private void put(String id, boolean alive) {
        if (rowOf != null && alive) {
            rowOf.put(id, rows);
        }
        names[rows++] = id;
    }

    private void reserve(int count) {
        int needed = Math.addExact(rows, count);
        int capacity = (int) Math.min(Integer.MAX_VALUE - 8, Math.max(needed, rows * 3L / 2));
        if (strings && needed > names.length) {
            names = Arrays.copyOf(names, capacity);
        } else if (!strings && needed > numbers.length) {
            numbers = Arrays.copyOf(numbers, capacity);
        }
    }

    /**
     * The row of an id.
     *
     * @param id a Long or a String
     * @param deleted rows that are gone
     * @return the row; -1 if there is none
     */
    int row(Object id, BitSet deleted) {
        long row = rowOf != null ? rowOf.getOrDefault(id, -1) : (Long) id;
        return row >= 0 && row < rows && !deleted.get((int) row) ? (int) row : -1;
    }

    /** Forgets an id whose row was deleted. */
    void forget(Object id) {
        if (rowOf != null) {
            rowOf.remove(id);
        }
    }

    /**
     * Refuses ids that are there, or that are twice in the call.
     *
     * @param ids Longs or Strings
     * @param deleted rows that are gone
     */
    void requireNew(List<?> ids, BitSet deleted) {
        Set<Object> seen = new HashSet<>();
        for (int i = 0; i < ids.size(); i++) {
            Object id = ids.get(i);
            if (!seen.add(id)) {
                throw new IllegalArgumentException(
                        "The id " + id + " occurs twice, the second time in place " + i + ".");
            }
            int row = row(id, deleted);
            if (row >= 0) {
                throw new IllegalArgumentException("The id " + id + " is in the index already, as row " + row
                        + ". Delete it first, or choose another.");
            }
        }
    }
}
