// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.Hits;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexSpec;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlainIndexShardTest {

    /** Few different numbers, so that many scores tie. */
    private static float[] coarse(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextInt(5) - 2;
        }
        return values;
    }

    private static double dot(float[] a, int fromA, float[] b, int fromB, int dimension) {
        double sum = 0;
        for (int i = 0; i < dimension; i++) {
            sum += (double) a[fromA + i] * b[fromB + i];
        }
        return sum;
    }

    /** All rows sorted by score, ties by row: the obvious way. */
    private static List<Integer> sorted(
            float[] query, int from, float[] rows, int count, int dimension, @Nullable BitSet filter) {
        return IntStream.range(0, count)
                .filter(row -> filter == null || filter.get(row))
                .boxed()
                .sorted(Comparator.comparingDouble((Integer row) -> -dot(query, from, rows, row * dimension, dimension))
                        .thenComparing(row -> row))
                .toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 31, 33, 127})
    void resultsAreThoseOfSortingEverything(int dimension) {
        Random random = new Random(dimension);
        for (int round = 0; round < 60; round++) {
            int count = random.nextInt(200);
            int queries = 1 + random.nextInt(4);
            int k = 1 + random.nextInt(round % 3 == 0 ? 300 : 20);
            float[] rows = coarse(random, count * dimension);
            float[] query = coarse(random, queries * dimension);
            BitSet filter = round % 2 == 0 ? null : BitSet.valueOf(new long[] {random.nextLong(), random.nextLong()});
            try (PlainIndexShard shard = new PlainIndexShard(new IndexSpec(dimension, DType.FP32))) {
                int first = count / 3;
                shard.add(rows, first);
                shard.add(Arrays.copyOfRange(rows, first * dimension, count * dimension), count - first);
                assertThat(shard.rows()).isEqualTo(count);
                Hits hits = shard.search(query, queries, k, filter);
                assertThat(hits.queries()).isEqualTo(queries);
                for (int q = 0; q < queries; q++) {
                    List<Integer> expected = sorted(query, q * dimension, rows, count, dimension, filter);
                    assertThat(hits.count(q)).isEqualTo(Math.min(k, expected.size()));
                    for (int rank = 0; rank < k; rank++) {
                        if (rank < expected.size()) {
                            int row = expected.get(rank);
                            assertThat(hits.id(q, rank))
                                    .as("round %s rank %s", round, rank)
                                    .isEqualTo(row);
                            assertThat(hits.score(q, rank))
                                    .isEqualTo((float) dot(query, q * dimension, rows, row * dimension, dimension));
                        } else {
                            assertThat(hits.id(q, rank)).isEqualTo(-1);
                            assertThat(hits.score(q, rank)).isEqualTo(Float.NEGATIVE_INFINITY);
                        }
                    }
                }
            }
        }
    }

    /** Scores that differ in float64 only: in fp32 they would tie, and the lower row would win. */
    @Test
    void scoresAreComparedInFloat64() {
        float[] rows = {1, 0, 1, 0x1p-30f};
        try (PlainIndexShard shard = new PlainIndexShard(new IndexSpec(2, DType.FP32))) {
            shard.add(rows, 2);
            Hits hits = shard.search(new float[] {1, 1}, 1, 2, null);
            assertThat(List.of(hits.id(0, 0), hits.id(0, 1))).containsExactly(1L, 0L);
            assertThat(hits.score(0, 0)).isEqualTo(hits.score(0, 1));
        }
    }

    @Test
    void rowsAreCopies() {
        float[] rows = {1, 0};
        try (PlainIndexShard shard = new PlainIndexShard(new IndexSpec(2, DType.FP32))) {
            shard.add(rows, 1);
            rows[0] = -1;
            assertThat(shard.search(new float[] {1, 0}, 1, 1, null).score(0, 0)).isEqualTo(1);
        }
    }

    @Test
    void otherStorageIsRefused() {
        assertThatThrownBy(() -> new PlainIndexShard(new IndexSpec(2, DType.FP16)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The plain index stores FP32, not FP16.");
    }
}
