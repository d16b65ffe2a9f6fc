// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * The vectors of one call, [B, D] fp32, row-major, in the order of the texts, with what happened to each text. Immutable.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build()) {
 *     Embeddings vectors = embedder.embed(List.of("a query", "a document"));
 *     float[] first = vectors.vector(0);
 *     double cosine = vectors.cosine(0, 1);
 *     System.out.println(vectors.tokenCount(0) + " tokens, truncated: " + vectors.truncated(0));
 * }
 * }</pre>
 *
 * @since 0.1
 */
public final class Embeddings {
    private final int dimension;
    private final float[] values;
    private final int[] tokenCounts;
    private final boolean[] truncated;

    private Embeddings(int dimension, float[] values, int[] tokenCounts, boolean[] truncated) {
        this.dimension = dimension;
        this.values = values;
        this.tokenCounts = tokenCounts;
        this.truncated = truncated;
    }

    /**
     * Wraps vectors; the arrays are not copied and must not be changed afterwards.
     *
     * @param dimension D
     * @param values [B, D], row-major
     * @param tokenCounts [B] tokens of each text, special tokens included, before truncation
     * @param truncated [B] whether the text was cut
     * @return the vectors
     * @throws IllegalArgumentException if the lengths do not fit together
     */
    public static Embeddings of(int dimension, float[] values, int[] tokenCounts, boolean[] truncated) {
        if (dimension < 1
                || values.length != (long) tokenCounts.length * dimension
                || truncated.length != tokenCounts.length) {
            throw new IllegalArgumentException("Sizes do not fit: " + values.length + " numbers, "
                    + tokenCounts.length + " token counts, " + truncated.length + " flags, dimension " + dimension
                    + ".");
        }
        return new Embeddings(dimension, values, tokenCounts, truncated);
    }

    /**
     * Returns how many vectors there are.
     *
     * @return B
     */
    public int size() {
        return tokenCounts.length;
    }

    /**
     * Returns the length of each vector.
     *
     * @return D
     */
    public int dimension() {
        return dimension;
    }

    /**
     * Returns a copy of one vector.
     *
     * @param row 0 to B - 1
     * @return [D]
     */
    public float[] vector(int row) {
        int from = offset(row);
        return Arrays.copyOfRange(values, from, from + dimension);
    }

    /**
     * Returns all vectors without copying them.
     *
     * @return [B, D], row-major, read-only, positioned at 0
     */
    public FloatBuffer values() {
        return FloatBuffer.wrap(values).asReadOnlyBuffer();
    }

    /**
     * Returns a copy of all vectors.
     *
     * @return [B][D]
     */
    public float[][] toArray() {
        float[][] rows = new float[size()][];
        Arrays.setAll(rows, this::vector);
        return rows;
    }

    /**
     * Returns how many tokens a text had, special tokens included, before it was cut.
     *
     * @param row 0 to B - 1
     * @return tokens
     */
    public int tokenCount(int row) {
        return tokenCounts[row];
    }

    /**
     * Tells whether a text was cut to the model's maximum.
     *
     * @param row 0 to B - 1
     * @return true if tokens were dropped
     */
    public boolean truncated(int row) {
        return truncated[row];
    }

    /**
     * Returns how many of the texts were cut.
     *
     * @return 0 to B
     */
    public int truncatedCount() {
        int count = 0;
        for (boolean cut : truncated) {
            count += cut ? 1 : 0;
        }
        return count;
    }

    /**
     * Computes the cosine of the angle between two vectors, in float64.
     *
     * @param row 0 to B - 1
     * @param other 0 to B - 1
     * @return -1 to 1; NaN if a vector is all zeros
     */
    public double cosine(int row, int other) {
        int a = offset(row);
        int b = offset(other);
        double dot = 0;
        double squareA = 0;
        double squareB = 0;
        for (int i = 0; i < dimension; i++) {
            dot += (double) values[a + i] * values[b + i];
            squareA += (double) values[a + i] * values[a + i];
            squareB += (double) values[b + i] * values[b + i];
        }
        return dot / Math.sqrt(squareA * squareB);
    }

    private int offset(int row) {
        if (row < 0 || row >= size()) {
            throw new IndexOutOfBoundsException("Row " + row + " of " + size() + ".");
        }
        return row * dimension;
    }

    @Override
    public String toString() {
        return "Embeddings[" + size() + ", " + dimension + "]";
    }
}
