// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

/**
 * How far a scan's score can be from the exact one, proven for every input. A scan that keeps all rows whose score is within
 * twice the margin of its own k-th best has kept the true best k.
 *
 * <p><b>The scan.</b> Let s_i be exact scores, t_i those of the scan, |t_i - s_i| &lt;= m. Let t be the k-th largest of the
 * t_i. The k rows with t_i &gt;= t have s_i &gt;= t - m, so the k-th largest s is at least t - m, and each of the true best k
 * rows has t_i &gt;= s_i - m &gt;= t - 2m. Where rows have margins m_i of their own: with t the k-th largest of t_i - m_i, each
 * of them has t_i + m_i &gt;= t.
 *
 * <p><b>The margin.</b> Let q and r be the fp32 query and row, q' and r' what the scan multiplies, |q' - q| &lt;= e,
 * |r' - r| &lt;= f (Euclidean lengths, which {@link RowBounds} measures). The distance has four parts:
 *
 * <ol>
 *   <li>storage: |q'.r' - q.r| = |q'.(r' - r) + (q' - q).r| &lt;= |q'| f + e |r| (Cauchy and Schwarz);
 *   <li>sums: adding up D products in any order, with or without fused multiply-add, in several accumulators or one, each
 *       operation wrong by at most u of its result, gives at most g(D) sum |q'_i r'_i| &lt;= g(D) |q'| |r'| with g(n) = n u / (1
 *       - n u) (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1);
 *   <li>underflow: where fp32 loses or flushes what is below 2^-126, in an operand, a product or a sum, at most D 2^-126 (2 +
 *       |q'| + |r'|);
 *   <li>the exact score is a float64 sum and not the true one: g(D) with u = 2^-53.
 * </ol>
 *
 * <p>No sum of a part of the products exceeds |q'| |r'|, but for roundings; where that could overflow, the margin is infinite.
 */
public final class ScoreMargin {
    /** Each operation rounds to the nearest fp32. */
    public static final double FP32_ROUNDING = 0x1p-24;
    /** Each operation rounds to one of the two nearest fp32 numbers, as sums that are cut off do. */
    public static final double FP32_TRUNCATION = 0x1p-23;

    /**
     * Tensor cores add w products and the sum so far at once (w is 4, 8 or 16, by generation): each of the w + 1 numbers is cut
     * off at the last place of the largest, and so is their sum. That is at most (w + 2) 2^-23 of the sum of all magnitudes for
     * every w products, or 1.5 times {@link #FP32_TRUNCATION} for each of them at w = 4 (Fasi, Higham, Mikaitis and Pranesh,
     * Numerical behavior of NVIDIA tensor cores, 2021, for how they round).
     */
    public static final double TENSOR_CORES = 0x1p-22;

    private static final double FP64_ROUNDING = 0x1p-53;
    private static final double SMALLEST_NORMAL = 0x1p-126;
    private static final double OVERFLOW = 0x1p126;
    /** Above the rounding of this class's own few operations. */
    private static final double ROUND_UP = 1 + 0x1p-40;

    private final int dimension;
    private final double sums;
    private final double exactSums;

    /**
     * For a scan.
     *
     * @param dimension D
     * @param unit how far each operation of its sums may be off, relative to its result
     */
    public ScoreMargin(int dimension, double unit) {
        this.dimension = dimension;
        this.sums = gamma(dimension, unit);
        this.exactSums = gamma(dimension, FP64_ROUNDING);
    }

    private static double gamma(int n, double unit) {
        double share = n * unit;
        return share < 0.5 ? share / (1 - share) : Double.POSITIVE_INFINITY;
    }

    /**
     * The largest distance between a scan's score and the exact one.
     *
     * @param query length of the query and distance of what the scan multiplies
     * @param rows the same of the rows
     * @return at least 0; infinite if the scan's scores say nothing
     */
    public double of(RowBounds query, RowBounds rows) {
        double scannedQuery = query.norm() + query.error();
        double scannedRow = rows.norm() + rows.error();
        double largest = scannedQuery * scannedRow;
        if (!(largest < OVERFLOW) || !(scannedQuery < OVERFLOW) || !(scannedRow < OVERFLOW)) {
            return Double.POSITIVE_INFINITY;
        }
        double storage = scannedQuery * rows.error() + query.error() * rows.norm();
        double underflow = dimension * SMALLEST_NORMAL * (2 + scannedQuery + scannedRow);
        double margin = storage + (sums + exactSums) * largest + underflow;
        return Double.isNaN(margin) ? Double.POSITIVE_INFINITY : margin * ROUND_UP;
    }
}
