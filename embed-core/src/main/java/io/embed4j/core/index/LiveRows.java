// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/** The rows of a saved index that were not deleted, numbered anew without gaps; vectors stay in their files, which are mapped. */
final class LiveRows {
    private final int dimension;
    private final int[] rows;
    private final NavigableMap<Integer, FloatBuffer> pieces;

    private LiveRows(int dimension, int[] rows, NavigableMap<Integer, FloatBuffer> pieces) {
        this.dimension = dimension;
        this.rows = rows;
        this.pieces = pieces;
    }

    /**
     * Leaves out rows of a saved index.
     *
     * @param saved the index
     * @param deleted rows that are gone
     */
    static IndexContent of(SavedIndex saved, BitSet deleted) {
        IndexManifest manifest = saved.manifest();
        BitSet alive = new BitSet();
        alive.set(0, manifest.rows());
        alive.andNot(deleted);
        NavigableMap<Integer, FloatBuffer> pieces = new TreeMap<>();
        RowIds ids = new RowIds(manifest.stringIds());
        int[] first = {0};
        saved.forEachSegment((vectors, labels, count) -> {
            int row = first[0];
            for (FloatBuffer piece : vectors) {
                pieces.put(row, piece);
                row += piece.remaining() / manifest.dimension();
            }
            appendLiving(ids, labels, alive, first[0], count);
            first[0] += count;
        });
        LiveRows living = new LiveRows(manifest.dimension(), alive.stream().toArray(), pieces);
        return new IndexContent(
                manifest.dimension(),
                manifest.similarity(),
                manifest.stringIds(),
                ids.rows(),
                ids.labels(),
                new BitSet(),
                living::read);
    }

    private static void appendLiving(RowIds ids, RowIds.Labels labels, BitSet alive, int firstRow, int count) {
        int[] living = alive.get(firstRow, firstRow + count).stream().toArray();
        if (ids.areStrings()) {
            List<String> names = new ArrayList<>(living.length);
            for (int i : living) {
                names.add(String.valueOf(labels.names()[i]));
            }
            ids.append(names);
        } else {
            long[] numbers = new long[living.length];
            for (int i = 0; i < living.length; i++) {
                numbers[i] = labels.numbers()[living[i]];
            }
            ids.append(numbers);
        }
    }

    private float[] read(int firstRow, int count) {
        float[] values = new float[Math.multiplyExact(count, dimension)];
        for (int i = 0; i < count; i++) {
            int row = rows[firstRow + i];
            Map.Entry<Integer, FloatBuffer> piece = pieces.floorEntry(row);
            FloatBuffer source = piece.getValue();
            source.get(source.position() + (row - piece.getKey()) * dimension, values, i * dimension, dimension);
        }
        return values;
    }
}
