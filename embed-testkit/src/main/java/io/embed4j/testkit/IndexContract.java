// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.Hits;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every index shard has to pass: results are those of float64 brute force, whatever the storage and however hard the
 * vectors make it.
 */
public abstract class IndexContract {
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

    private IndexShard exact(int dimension, DType storage) {
        return open(new IndexSpec(dimension, storage, IndexSpec.Rescoring.EXACT));
    }

    static Stream<Arguments> dimensionsAndStorages() {
        return Arrays.stream(DIMENSIONS)
                .boxed()
                .flatMap(dimension -> STORAGES.stream().map(storage -> Arguments.of(dimension, storage)));
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

    private static FloatBuffer direct(float[] values) {
        return ByteBuffer.allocateDirect(values.length * Float.BYTES)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer()
                .put(values)
                .flip();
    }

    private static Hits search(IndexShard shard, float[] queries, int k, RowSelection selection) {
        return shard.search(FloatBuffer.wrap(queries), k, selection);
    }

    private static void checkAll(String what, IndexShard shard, float[] rows, float[] queries, int k) {
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
            float[] queries = new float[2 * dimension];
            for (int i = 0; i < queries.length; i++) {
                queries[i] = (float) (random.nextGaussian() * scale);
            }
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
        float[] rows = new float[200 * dimension];
        float[] queries = new float[2 * dimension];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = (float) (random.nextGaussian() * 1e37);
        }
        for (int i = 0; i < queries.length; i++) {
            queries[i] = (float) (random.nextGaussian() * 1e37);
        }
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

    /** One by one, by the hundred and adopted, in any order; what was added is copied and can be read. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void rowsComeInPiecesOfAnySize(DType storage) {
        int dimension = 19;
        Random random = new Random(8);
        float[] rows = unitVectors(random, 6000, dimension);
        float[] queries = unitVectors(random, 2, dimension);
        try (IndexShard shard = exact(dimension, storage)) {
            int added = 0;
            while (added < 6000) {
                int count = Math.min(6000 - added, random.nextInt(4) == 0 ? random.nextInt(900) : 1);
                float[] piece = Arrays.copyOfRange(rows, added * dimension, (added + count) * dimension);
                if (random.nextBoolean()) {
                    shard.adopt(direct(piece));
                } else {
                    shard.add(FloatBuffer.wrap(piece));
                    Arrays.fill(piece, Float.NaN);
                }
                added += count;
                assertThat(shard.rows()).isEqualTo(added);
            }
            checkAll(storage.toString(), shard, rows, queries, 30);
            assertThat(shard.read(1234, 777))
                    .isEqualTo(Arrays.copyOfRange(rows, 1234 * dimension, (1234 + 777) * dimension));
            assertThat(shard.read(0, 6000)).isEqualTo(rows);
        }
    }

    /** A buffer's numbers are those from its position to its limit, and it stays as it is. */
    @Test
    void buffersAreReadFromTheirPositionAndLeftAlone() {
        try (IndexShard shard = exact(2, DType.FP32)) {
            FloatBuffer rows = FloatBuffer.wrap(new float[] {9, 9, 1, 0, 0, 1, 9, 9})
                    .position(2)
                    .limit(6);
            shard.add(rows);
            FloatBuffer adopted = direct(new float[] {9, 9, 0, 2}).position(2);
            shard.adopt(adopted);
            FloatBuffer queries =
                    FloatBuffer.wrap(new float[] {9, 0, 3, 9}).position(1).limit(3);
            Hits hits = shard.search(queries, 3, RowSelection.first(3));
            assertThat(List.of(rows.position(), adopted.position(), queries.position()))
                    .containsExactly(2, 2, 1);
            assertThat(List.of(hits.id(0, 0), hits.id(0, 1), hits.id(0, 2))).containsExactly(2L, 1L, 0L);
            assertThat(hits.score(0, 0)).isEqualTo(6);
        }
    }

    @Test
    void searchesDuringAppendsSeeTheirRows() throws InterruptedException {
        int dimension = 24;
        int count = 4000;
        Random random = new Random(9);
        float[] rows = unitVectors(random, count, dimension);
        float[] queries = unitVectors(random, 3, dimension);
        BruteForce truth = new BruteForce(dimension, rows);
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        try (IndexShard shard = exact(dimension, DType.FP16)) {
            Thread[] searchers = new Thread[3];
            for (int t = 0; t < searchers.length; t++) {
                searchers[t] = new Thread(() -> {
                    try {
                        int seen = 0;
                        while (seen < count && failure.get() == null) {
                            seen = shard.rows();
                            int now = seen;
                            Hits hits = search(shard, queries, 10, RowSelection.first(now));
                            truth.check(now + " rows", hits, queries, now, row -> true);
                        }
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                });
                searchers[t].start();
            }
            for (int added = 0; added < count; added += 50) {
                shard.add(FloatBuffer.wrap(rows, added * dimension, 50 * dimension));
            }
            for (Thread searcher : searchers) {
                searcher.join();
            }
            assertThat(failure.get()).isNull();
        }
    }

    /** Rows that are taken back are as if they had never been, long ones too, which would widen every margin. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void rowsAreTakenBack(DType storage) {
        int dimension = 24;
        Random random = new Random(11);
        float[] rows = unitVectors(random, 3000, dimension);
        float[] queries = unitVectors(random, 3, dimension);
        float[] wrong = unitVectors(random, 5000, dimension);
        for (int i = 0; i < wrong.length; i++) {
            wrong[i] *= 1000;
        }
        try (IndexShard shard = exact(dimension, storage)) {
            for (int count : new int[] {0, 1000, 2000}) {
                Runnable takeBack = shard.mark();
                shard.add(FloatBuffer.wrap(wrong, 0, 7 * dimension));
                shard.adopt(direct(wrong));
                assertThat(shard.rows()).isEqualTo(count + 5007);
                takeBack.run();
                assertThat(shard.rows()).isEqualTo(count);
                checkAll(count + " are left", shard, rows, queries, 20);
                shard.add(FloatBuffer.wrap(rows, count * dimension, 1000 * dimension));
                checkAll(count + 1000 + " rows", shard, rows, queries, 20);
                assertThat(shard.read(count, 1))
                        .isEqualTo(Arrays.copyOfRange(rows, count * dimension, (count + 1) * dimension));
            }
        }
    }

    /** Searches of earlier rows go on while rows behind them come, are taken back and are overwritten. */
    @Test
    void searchesGoOnWhileRowsAreTakenBack() throws InterruptedException {
        int dimension = 24;
        int count = 1000;
        Random random = new Random(12);
        float[] rows = unitVectors(random, count, dimension);
        float[] wrong = unitVectors(random, 2 * count, dimension);
        float[] queries = unitVectors(random, 3, dimension);
        BruteForce truth = new BruteForce(dimension, rows);
        AtomicInteger known = new AtomicInteger();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        try (IndexShard shard = exact(dimension, DType.FP16)) {
            Thread searcher = new Thread(() -> {
                try {
                    int seen = 0;
                    while (seen < count) {
                        seen = known.get();
                        Hits hits = search(shard, queries, 10, RowSelection.first(seen));
                        truth.check(seen + " rows", hits, queries, seen, row -> true);
                    }
                } catch (Throwable e) {
                    failure.set(e);
                }
            });
            searcher.start();
            for (int added = 0; added < count; added += 50) {
                Runnable takeBack = shard.mark();
                shard.add(FloatBuffer.wrap(wrong));
                takeBack.run();
                shard.add(FloatBuffer.wrap(rows, added * dimension, 50 * dimension));
                known.set(added + 50);
            }
            searcher.join();
            assertThat(failure.get()).isNull();
        }
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

    @Test
    void whatMakesNoSenseIsRefused() {
        try (IndexShard shard = exact(2, DType.FP32)) {
            assertThatThrownBy(() -> shard.add(FloatBuffer.allocate(3)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("3 numbers are no whole vectors; this index holds vectors of 2.");
            assertThat(shard.rows()).isZero();
            assertThatThrownBy(() -> search(shard, new float[3], 1, RowSelection.first(0)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("3 numbers are no whole vectors; this index holds vectors of 2.");
            assertThatThrownBy(() -> search(shard, new float[2], 0, RowSelection.first(0)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("k must be 1 to 4096, found 0.");
            assertThatThrownBy(() -> search(shard, new float[2], 4097, RowSelection.first(0)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("k must be 1 to 4096, found 4097.");
            assertThatThrownBy(() -> search(shard, new float[2], 1, RowSelection.first(1)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("A search cannot look at 1 rows of an index that has 0.");
        }
    }
}
