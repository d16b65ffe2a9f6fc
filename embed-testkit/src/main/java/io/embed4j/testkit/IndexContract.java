// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.Hits;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.RowSelection;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every index shard has to pass: its results are the truth, and rows come and go while searches go on. */
public abstract class IndexContract extends IndexNumbersContract {

    private static FloatBuffer direct(float[] values) {
        return ByteBuffer.allocateDirect(values.length * Float.BYTES)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer()
                .put(values)
                .flip();
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
