// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Hits;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The numbers: results are those of float64 brute force, whatever the storage and however hard the vectors make it. */
public abstract class IndexNumbersContract {
    private static final List<DType> STORAGES = List.of(DType.FP32, DType.FP16, DType.BF16);
    private static final int[] DIMENSIONS = {1, 7, 384, 1024, 4096};

    /**
     * Opens an empty shard; the test closes it.
     *
     * @param spec what it holds
     */
    protected abstract IndexShard open(IndexSpec spec);

    /** The most multiplications, N x D x Q, that a test of the normal run may ask for. */
    protected long work() {
        return 10_000_000;
    }

    /** The most multiplications that a test under -Pfull may ask for, rows of this dimension. */
    protected long fullWork(int dimension) {
        return 100_000_000;
    }

    final IndexShard exact(int dimension, DType storage) {
        return open(new IndexSpec(dimension, storage, IndexSpec.Rescoring.EXACT));
    }

    static Stream<Arguments> dimensionsAndStorages() {
        return Arrays.stream(DIMENSIONS)
                .boxed()
                .flatMap(dimension -> STORAGES.stream().map(storage -> Arguments.of(dimension, storage)));
    }

    /** Numbers of a normal distribution. */
    private static float[] normal(Random random, int count, double deviation) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
        }
        return values;
    }

    /** [count, dimension], in random directions. */
    protected static float[] unitVectors(Random random, int count, int dimension) {
        float[] values = new float[count * dimension];
        for (int v = 0; v < count; v++) {
            double square = 0;
            for (int i = v * dimension; i < (v + 1) * dimension; i++) {
                values[i] = (float) random.nextGaussian();
                square += (double) values[i] * values[i];
            }
            for (int i = v * dimension; i < (v + 1) * dimension; i++) {
                values[i] /= (float) Math.sqrt(square);
            }
        }
        return values;
    }

    static Hits search(IndexShard shard, float[] queries, int k, RowSelection selection) {
        return shard.search(FloatBuffer.wrap(queries), k, selection);
    }

    static void checkAll(String what, IndexShard shard, float[] rows, float[] queries, int k) {
        int count = shard.rows();
        Hits hits = search(shard, queries, k, RowSelection.first(count));
        new BruteForce(shard.spec().dimension(), rows).check(what, hits, queries, count, row -> true);
    }

    @ParameterizedTest
    @MethodSource("dimensionsAndStorages")
    void resultsAreThoseOfBruteForce(int dimension, DType storage) {
        checkRandom(dimension, storage, work());
    }

    @ParameterizedTest
    @Tag("full")
    @MethodSource("dimensionsAndStorages")
    void resultsOfMoreRowsAndQueriesAreThoseOfBruteForce(int dimension, DType storage) {
        checkRandom(dimension, storage, fullWork(dimension));
    }

    private void checkRandom(int dimension, DType storage, long work) {
        for (int queries : new int[] {1, 3, 9, 33, 200}) {
            Random random = new Random(dimension + queries);
            int count = (int) Math.min(work / 500, work / dimension / queries);
            count -= count % 64 == 0 ? 1 : 0;
            float[] rows = unitVectors(random, count, dimension);
            float[] query = unitVectors(random, queries, dimension);
            try (IndexShard shard = exact(dimension, storage)) {
                shard.add(FloatBuffer.wrap(rows));
                assertThat(shard.rows()).isEqualTo(count);
                for (int k : new int[] {1, 100}) {
                    checkAll(storage + " Q " + queries + " N " + count + " k " + k, shard, rows, query, k);
                }
            }
        }
    }

    /** Whatever k is: more than there are rows, and the most that is allowed. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void anyKIsAnswered(DType storage) {
        Random random = new Random(1);
        float[] rows = unitVectors(random, 5000, 7);
        float[] queries = unitVectors(random, 3, 7);
        try (IndexShard shard = exact(7, storage)) {
            assertThat(search(shard, queries, 3, RowSelection.first(0)).count(2))
                    .isZero();
            shard.add(FloatBuffer.wrap(rows, 0, 70));
            checkAll("10 rows", shard, rows, queries, 4096);
            checkAll("10 rows", shard, rows, queries, 11);
            shard.add(FloatBuffer.wrap(rows, 70, 4990 * 7));
            for (int k : new int[] {1, 2, 31, 1024, 4095, 4096}) {
                checkAll(storage + " k " + k, shard, rows, queries, k);
            }
            Hits none = search(shard, new float[0], 5, RowSelection.first(5000));
            assertThat(none.queries()).isZero();
        }
    }

    /** Few different numbers, so that most scores tie; and one row many times, so that candidates are no gain. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void equalScoresGoToTheLowerRow(DType storage) {
        Random random = new Random(2);
        int dimension = 12;
        int count = 20_000;
        float[] rows = new float[count * dimension];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = (random.nextInt(3) - 1) / 3f;
        }
        for (int row = 3000; row < 19_000; row++) {
            System.arraycopy(rows, 0, rows, row * dimension, dimension);
        }
        float[] queries = Arrays.copyOf(rows, 4 * dimension);
        try (IndexShard shard = exact(dimension, storage)) {
            shard.add(FloatBuffer.wrap(rows));
            for (int k : new int[] {1, 10, 1000}) {
                checkAll(storage + " k " + k, shard, rows, queries, k);
            }
        }
    }

    /**
     * Every number lies just beside the middle of two storable ones, on the side that rounds against the truth: the better row
     * rounds down in the direction of the query, the worse one up. The scan's order is the truth's backwards.
     */
    @ParameterizedTest
    @EnumSource(names = {"FP16", "BF16"})
    void roundingThatReversesTheOrderIsSeenThrough(DType storage) {
        int dimension = 64;
        int count = 600;
        int mantissaBits = storage == DType.FP16 ? 10 : 7;
        Random random = new Random(3);
        float[] query = new float[dimension];
        for (int i = 0; i < dimension; i++) {
            query[i] = random.nextBoolean() ? 0.125f : -0.125f;
        }
        float step = (float) Math.scalb(1.0, -3 - mantissaBits);
        float[] rows = new float[count * dimension];
        for (int row = 0; row < count; row++) {
            // In [1/8, 1/4) the storable numbers are multiples of the step.
            float side = row % 2 == 0 ? 0.499f : -0.499f;
            float base = 0.125f + (40 + (row % 2 == 0 ? 0 : 1) * 0.9f) * step;
            float stored = Math.round(base / step) * step;
            for (int i = 0; i < dimension; i++) {
                float magnitude = stored + side * step + (float) (random.nextDouble() * 1e-3 * step);
                rows[row * dimension + i] = Math.signum(query[i]) * magnitude;
            }
        }
        try (IndexShard shard = exact(dimension, storage)) {
            shard.add(FloatBuffer.wrap(rows));
            for (int k : new int[] {1, 5, 100}) {
                checkAll(storage + " k " + k, shard, rows, query, k);
            }
        }
    }

    /** Large products cancel, and what decides is far below the rounding of their sum in fp32. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void cancellationIsSeenThrough(DType storage) {
        int dimension = 1024;
        int count = 300;
        Random random = new Random(4);
        float[] query = new float[dimension];
        float[] rows = new float[count * dimension];
        for (int i = 0; i < dimension; i++) {
            query[i] = 1;
        }
        for (int row = 0; row < count; row++) {
            for (int i = 0; i < dimension; i += 2) {
                float large = 1 + random.nextFloat();
                rows[row * dimension + i] = large;
                rows[row * dimension + i + 1] = -large;
            }
            rows[row * dimension + random.nextInt(dimension)] += (float) (random.nextGaussian() * 1e-6);
        }
        try (IndexShard shard = exact(dimension, storage)) {
            shard.add(FloatBuffer.wrap(rows));
            checkAll(storage.toString(), shard, rows, query, 10);
        }
    }

    /** Numbers that fp32, or the storage, can hold only as subnormals or not at all; zero vectors; and mixed sizes. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void tinyHugeAndZeroVectorsAreRanked(DType storage) {
        int dimension = 7;
        Random random = new Random(5);
        double[] scales = {1e-42, 1e-39, 1e-20, 1e-7, 1, storage == DType.FP16 ? 1e4 : 1e18};
        float[] rows = new float[700 * dimension];
        for (int row = 1; row < 700; row++) {
            double scale = row % 100 == 0 ? 0 : scales[random.nextInt(scales.length)];
            for (int i = 0; i < dimension; i++) {
                rows[row * dimension + i] = (float) (random.nextGaussian() * scale);
            }
        }
        for (double scale : new double[] {1e-42, 1e-39, 1e-20, 1, 1e10, 1e30}) {
            float[] queries = normal(random, 2 * dimension, scale);
            for (int from : new int[] {0, 500}) {
                float[] some = Arrays.copyOfRange(rows, from * dimension, rows.length);
                try (IndexShard shard = exact(dimension, storage)) {
                    shard.add(FloatBuffer.wrap(some));
                    checkAll(storage + " scale " + scale, shard, some, queries, 20);
                }
            }
        }
    }

    /** Sums that would overflow fp32 and not float64. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "BF16"})
    void scoresBeyondFp32AreRanked(DType storage) {
        int dimension = 5;
        Random random = new Random(6);
        float[] rows = normal(random, 200 * dimension, 1e37);
        float[] queries = normal(random, 2 * dimension, 1e37);
        try (IndexShard shard = exact(dimension, storage)) {
            shard.add(FloatBuffer.wrap(rows));
            checkAll(storage.toString(), shard, rows, queries, 9);
        }
    }

    /** Rows sorted from the worst to the best: a running threshold keeps none of them out. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void sortedRowsAreRanked(DType storage) {
        int count = 30_000;
        float[] rows = new float[count * 2];
        for (int row = 0; row < count; row++) {
            double angle = Math.PI / 2 * (count - row) / count;
            rows[2 * row] = (float) Math.cos(angle);
            rows[2 * row + 1] = (float) Math.sin(angle);
        }
        try (IndexShard shard = exact(2, storage)) {
            shard.add(FloatBuffer.wrap(rows));
            checkAll(storage.toString(), shard, rows, new float[] {1, 0, 0, 1, -1, 0, 0.6f, 0.8f}, 50);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void onlySelectedRowsAreFound(DType storage) {
        int dimension = 33;
        int count = 9001;
        Random random = new Random(7);
        float[] rows = unitVectors(random, count, dimension);
        float[] queries = unitVectors(random, 5, dimension);
        try (IndexShard shard = exact(dimension, storage)) {
            shard.add(FloatBuffer.wrap(rows));
            for (double share : new double[] {0, 0.0002, 0.01, 0.1, 0.5, 0.99, 1}) {
                BitSet selected = new BitSet();
                for (int row = 0; row < count; row++) {
                    selected.set(row, random.nextDouble() < share);
                }
                checkSelected(shard, rows, queries, count, selected);
            }
            BitSet block = new BitSet();
            block.set(4000, 4100);
            checkSelected(shard, rows, queries, count, block);
            checkSelected(shard, rows, queries, 4050, block);
            Hits first = search(shard, queries, 20, RowSelection.first(100));
            new BruteForce(dimension, rows).check("the first 100", first, queries, 100, row -> true);
        }
    }

    private static void checkSelected(IndexShard shard, float[] rows, float[] queries, int count, BitSet selected) {
        Hits hits = search(shard, queries, 20, RowSelection.of(count, selected));
        new BruteForce(shard.spec().dimension(), rows)
                .check(selected.cardinality() + " selected", hits, queries, count, selected::get);
    }

    /** Without rescoring results are near the truth: scores within the storage's rounding, most rows the same. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void withoutRescoringMostRowsAreFound(DType storage) {
        int dimension = 384;
        int count = (int) Math.min(20_000, work() / dimension / 8);
        int k = 10;
        Random random = new Random(10);
        float[] rows = unitVectors(random, count, dimension);
        float[] queries = unitVectors(random, 8, dimension);
        BruteForce truth = new BruteForce(dimension, rows);
        try (IndexShard shard = open(new IndexSpec(dimension, storage, IndexSpec.Rescoring.NONE))) {
            shard.add(FloatBuffer.wrap(rows));
            Hits hits = search(shard, queries, k, RowSelection.first(count));
            int found = 0;
            double worst = 0;
            for (int query = 0; query < 8; query++) {
                int[] ranking = truth.ranking(queries, query, k, count, row -> true);
                for (int rank = 0; rank < k; rank++) {
                    int row = (int) hits.id(query, rank);
                    found += Arrays.stream(ranking).anyMatch(best -> best == row) ? 1 : 0;
                    worst = Math.max(worst, Math.abs(hits.score(query, rank) - truth.score(queries, query, row)));
                }
            }
            double recall = found / (8.0 * k);
            double rounding = switch (storage) {
                case FP16 -> 0x1p-11;
                case BF16 -> 0x1p-8;
                default -> 0;
            };
            // Query and row may both be rounded, by that share of their length; and sums of fp32.
            double limit = 2 * rounding + dimension * 0x1p-23;
            System.out.printf(
                    Locale.ROOT,
                    "%s without rescoring: recall@10 %.4f of %d rows, max error %.3g, %.0f %% of %.3g%n",
                    storage,
                    recall,
                    count,
                    worst,
                    100 * worst / limit,
                    limit);
            assertThat(worst).isLessThanOrEqualTo(limit);
            assertThat(recall).isGreaterThanOrEqualTo(storage == DType.BF16 ? 0.9 : 0.98);
        }
    }
}
