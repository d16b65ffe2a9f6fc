// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.Hits;
import io.embed4j.VectorIndex;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** Exact cosine top-k: rows and queries become unit vectors here, and a device's shard compares them. */
public final class CosineIndex implements VectorIndex {
    private final int dimension;
    private final IndexShard shard;
    private final Runnable release;

    /**
     * Wraps a shard.
     *
     * @param dimension D
     * @param shard where the rows lie; closed with the index
     * @param release runs after the shard is closed
     */
    public CosineIndex(int dimension, IndexShard shard, Runnable release) {
        this.dimension = dimension;
        this.shard = shard;
        this.release = release;
    }

    @Override
    public void add(float[][] rows) {
        shard.add(FloatBuffer.wrap(unitVectors(rows, "Row")));
    }

    @Override
    public Hits search(float[][] queries, int k, @Nullable BitSet filter) {
        if (k < 1) {
            throw new IllegalArgumentException("k must be at least 1, found " + k + ".");
        }
        int rows = shard.rows();
        RowSelection selection = filter == null ? RowSelection.first(rows) : RowSelection.of(rows, filter);
        return shard.search(FloatBuffer.wrap(unitVectors(queries, "Query")), k, selection);
    }

    @Override
    public void save(Path directory) {
        IndexFile.write(directory, shard, dimension);
    }

    private float[] unitVectors(float[][] vectors, String what) {
        float[] all = new float[Math.multiplyExact(vectors.length, dimension)];
        for (int v = 0; v < vectors.length; v++) {
            float[] vector = vectors[v];
            if (vector.length != dimension) {
                throw new IllegalArgumentException(what + " " + v + " has " + vector.length
                        + " numbers; this index holds vectors of " + dimension + ".");
            }
            double square = 0;
            for (float value : vector) {
                square += (double) value * value;
            }
            if (!(square > 0) || Double.isInfinite(square)) {
                throw new IllegalArgumentException(
                        what + " " + v + " has no direction: it is all zeros, or holds NaN or infinity.");
            }
            double norm = Math.sqrt(square);
            for (int i = 0; i < dimension; i++) {
                all[v * dimension + i] = (float) (vector[i] / norm);
            }
        }
        return all;
    }

    @Override
    public long size() {
        return shard.rows();
    }

    @Override
    public int dimension() {
        return dimension;
    }

    @Override
    public void close() {
        shard.close();
        release.run();
    }
}
