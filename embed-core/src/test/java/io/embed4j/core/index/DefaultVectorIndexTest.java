// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.embed4j.EmbedException;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.Hits;
import io.embed4j.IndexOptions;
import io.embed4j.Precision;
import io.embed4j.SimilarityFunction;
import io.embed4j.VectorIndex;
import io.embed4j.VectorRows;
import io.embed4j.spi.IndexSpec;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DefaultVectorIndexTest {
    private static final IndexOptions STRINGS = IndexOptions.defaults().withStringIds(true);

    private static VectorIndex index(int dimension, IndexOptions options) {
        return new DefaultVectorIndex(new PlainIndexShard(IndexSpec.exact(dimension)), options, () -> {});
    }

    private static VectorIndex index(int dimension) {
        return index(dimension, IndexOptions.defaults());
    }

    private static List<Long> ids(Hits hits, int query) {
        List<Long> ids = new ArrayList<>();
        for (int rank = 0; rank < hits.count(query); rank++) {
            ids.add(hits.id(query, rank));
        }
        return ids;
    }

    private static List<String> strings(Hits hits, int query) {
        List<String> ids = new ArrayList<>();
        for (int rank = 0; rank < hits.count(query); rank++) {
            ids.add(hits.stringId(query, rank));
        }
        return ids;
    }

    @Test
    void lengthsDoNotMatterForTheCosine() {
        try (VectorIndex index = index(2)) {
            index.add(new float[][] {{3e30f, 0}, {1e-30f, 1e-30f}, {0, -5}, {Float.MIN_VALUE, 0}});
            Hits hits = index.search(new float[][] {{1e-20f, 0}, {2, 2}}, 4);
            assertThat(ids(hits, 0)).containsExactly(0L, 3L, 1L, 2L);
            assertThat(hits.score(0, 1)).isEqualTo(1);
            assertThat(hits.score(0, 2)).isCloseTo((float) Math.sqrt(0.5), within(1e-7f));
            assertThat(hits.id(1, 0)).isEqualTo(1);
            assertThat(index.size()).isEqualTo(4);
            assertThat(index.dimension()).isEqualTo(2);
        }
    }

    @Test
    void theyDoForTheDotProduct() {
        try (VectorIndex index = index(2, IndexOptions.defaults().withSimilarity(SimilarityFunction.DOT))) {
            index.add(new float[][] {{1, 0}, {3, 0}, {0, 0}, {-1, 5}});
            Hits hits = index.search(new float[][] {{2, 0}, {0, 0}}, 4);
            assertThat(ids(hits, 0)).containsExactly(1L, 0L, 2L, 3L);
            assertThat(hits.score(0, 0)).isEqualTo(6);
            assertThat(ids(hits, 1)).as("all equal").containsExactly(0L, 1L, 2L, 3L);
        }
    }

    @Test
    void rowsComeFromArraysEmbeddingsAndIterators() {
        try (VectorIndex index = index(2)) {
            index.add(new float[][] {{1, 0}});
            index.add(Embeddings.of(2, new float[] {0, 1, -1, 0}, new int[2], new boolean[2]));
            Iterator<float[]> many = Stream.iterate(new float[] {1, 1}, row -> new float[] {row[0] + 1, 1})
                    .limit(600_000)
                    .iterator();
            index.add(VectorRows.of(2, many));
            assertThat(index.size()).isEqualTo(600_003);
            Hits hits = index.search(Embeddings.of(2, new float[] {0, 9}, new int[1], new boolean[1]), 3);
            assertThat(ids(hits, 0)).containsExactly(1L, 3L, 4L);
            index.add(new float[0][]);
            assertThat(index.search(new float[0][], 5).queries()).isZero();
        }
    }

    @Test
    void filtersAreOfRows() {
        try (VectorIndex index = index(2)) {
            index.add(new float[][] {{1, 0}, {0, 1}, {1, 1}});
            BitSet filter = new BitSet();
            filter.set(1, 100);
            assertThat(ids(index.search(new float[][] {{1, 0}}, 3, filter), 0)).containsExactly(2L, 1L);
            assertThat(filter.cardinality()).as("left as it was").isEqualTo(99);
            assertThat(index.search(new float[][] {{1, 0}}, 3, new BitSet()).count(0))
                    .isZero();
            assertThat(ids(index.search(new float[][] {{1, 0}}, 3, index.rowsOf(1, 7)), 0))
                    .containsExactly(1L);
        }
    }

    @Test
    void numbersNameRows() {
        try (VectorIndex index = index(2)) {
            index.add(new long[] {-5, 70}, new float[][] {{1, 0}, {0, 1}});
            index.add(new float[][] {{1, 1}});
            Hits hits = index.search(new float[] {1, 0}, 3);
            assertThat(ids(hits, 0)).containsExactly(-5L, 71L, 70L);
            assertThat(hits.stringId(0, 0)).isEqualTo("-5");
            assertThat(index.rowsOf(71, -5)).isEqualTo(BitSet.valueOf(new long[] {0b101}));
            assertThatThrownBy(() -> index.add(new long[] {3, 70}, new float[2][2]))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("The id 70 is in the index already, as row 1. Delete it first, or choose another.");
            assertThatThrownBy(() -> index.add(new long[] {3, 3}, new float[2][2]))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("The id 3 occurs twice, the second time in place 1.");
            index.add(new long[] {8}, Embeddings.of(2, new float[] {1, 0.1f}, new int[1], new boolean[1]));
            assertThat(ids(index.search(new float[] {1, 0}, 3), 0)).containsExactly(-5L, 8L, 71L);
            assertThat(index.size()).isEqualTo(4);
        }
    }

    @Test
    void stringsNameRows() {
        try (VectorIndex index = index(2, STRINGS)) {
            index.add(List.of("east", ""), new float[][] {{1, 0}, {0, 1}});
            Hits hits = index.search(new float[][] {{0, 1}}, 3);
            assertThat(strings(hits, 0)).containsExactly("", "east");
            assertThat(hits.id(0, 0)).isEqualTo(1);
            assertThat(hits.id(0, 2)).isEqualTo(-1);
            assertThat(index.delete(List.of("", "none"))).isEqualTo(1);
            index.add(List.of(""), Embeddings.of(2, new float[] {-1, 0}, new int[1], new boolean[1]));
            assertThat(strings(index.search(new float[][] {{0, 1}}, 3), 0)).containsExactly("east", "");
            assertThatThrownBy(() -> index.add(new float[][] {{1, 1}}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("This index has strings as ids; one cannot add rows without ids to it. stringIds(false)"
                            + " makes the other kind.");
            assertThatThrownBy(() -> index.delete(1)).isInstanceOf(IllegalArgumentException.class);
        }
        try (VectorIndex index = index(2)) {
            assertThatThrownBy(() -> index.delete(List.of("a")))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("This index has numbers as ids;");
        }
    }

    @Test
    void deletedRowsAreGoneAndTheirIdsFree() {
        try (VectorIndex index = index(1)) {
            index.add(new float[][] {{1}, {1}, {1}, {1}});
            assertThat(index.delete(1, 3, 9, 1)).isEqualTo(2);
            assertThat(index.size()).isEqualTo(2);
            assertThat(index.rows()).isEqualTo(4);
            assertThat(ids(index.search(new float[][] {{1}}, 9), 0)).containsExactly(0L, 2L);
            BitSet filter = new BitSet();
            filter.set(1, 3);
            assertThat(ids(index.search(new float[][] {{1}}, 9, filter), 0)).containsExactly(2L);
            assertThat(index.rowsOf(0, 1, 2).cardinality()).isEqualTo(2);
            index.add(new long[] {1}, new float[][] {{1}});
            assertThat(ids(index.search(new float[][] {{1}}, 9), 0)).containsExactly(0L, 2L, 1L);
            index.add(new float[][] {{1}});
            assertThat(ids(index.search(new float[][] {{1}}, 9), 0)).containsExactly(0L, 2L, 1L, 4L);
            assertThat(index.delete(3)).as("gone before ids were given by hand").isZero();
            index.add(new long[] {3}, new float[][] {{1}});
            assertThat(ids(index.search(new float[][] {{1}}, 9), 0)).containsExactly(0L, 2L, 1L, 4L, 3L);
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0})
    void whatHasNoDirectionIsNamed(float bad) {
        String why = bad == 0
                ? " is all zeros: it has no direction, and so no cosine. Leave it out."
                : " holds NaN or infinity.";
        try (VectorIndex index = index(2)) {
            float[] row = {bad, 0};
            assertThatThrownBy(() -> index.add(new float[][] {{1, 1}, row}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Row 1" + why);
            assertThat(index.size()).as("nothing of the call was added").isZero();
            assertThatThrownBy(() -> index.search(new float[][] {row}, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Query 0" + why);
        }
    }

    /** The rows before the bad one are in the shard by then; they go again, with their numbers and ids. */
    @Test
    void anAdditionThatFailsHalfwayAddsNothing() {
        try (VectorIndex index = index(1)) {
            index.add(new float[][] {{1}});
            Iterator<float[]> rows = Stream.iterate(0, i -> i + 1)
                    .limit(2_000_000)
                    .map(i -> new float[] {i == 1_500_000 ? Float.NaN : 1})
                    .iterator();
            assertThatThrownBy(() -> index.add(VectorRows.of(1, rows)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Row 1500000 holds NaN or infinity.");
            assertThat(index.size()).isEqualTo(1);
            assertThat(index.rows()).isEqualTo(1);
            index.add(new float[][] {{1}, {-1}});
            assertThat(ids(index.search(new float[][] {{1}}, 5), 0)).containsExactly(0L, 1L, 2L);
            assertThatThrownBy(() -> index.add(new long[] {50, 51}, new float[][] {{1}}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("There are 2 ids for 1 rows.");
            assertThat(index.rows()).isEqualTo(3);
            assertThat(ids(index.search(new float[][] {{1}}, 5), 0)).containsExactly(0L, 1L, 2L);
        }
    }

    /** Whatever kind ids are of, those of rows that were taken back are free, and numbers go on where they were. */
    @Test
    void idsOfAFailedAdditionAreFree() {
        float[][] tooFew = {{1}};
        try (VectorIndex index = index(1, STRINGS)) {
            index.add(List.of("a"), new float[][] {{1}});
            assertThatThrownBy(() -> index.add(List.of("b", "c"), tooFew)).hasMessage("There are 2 ids for 1 rows.");
            index.add(List.of("c", "b"), new float[][] {{1}, {1}});
            assertThat(strings(index.search(new float[][] {{1}}, 5), 0)).containsExactly("a", "c", "b");
        }
        try (VectorIndex index = index(1)) {
            index.add(new float[][] {{1}, {1}});
            assertThatThrownBy(() -> index.add(new long[] {70, 71}, new float[][] {{Float.NaN}}))
                    .hasMessage("Row 0 holds NaN or infinity.");
            index.add(new float[][] {{1}});
            assertThat(ids(index.search(new float[][] {{1}}, 5), 0)).containsExactly(0L, 1L, 2L);
        }
    }

    /** A shard that has no room any more, after some pieces: what it took is taken back there too. */
    @Test
    void aShardThatRefusesGivesBackWhatItTook() {
        int[] refusesFrom = {Integer.MAX_VALUE};
        PlainIndexShard shard = new PlainIndexShard(IndexSpec.exact(1)) {
            @Override
            public synchronized void add(FloatBuffer values) {
                if (rows() >= refusesFrom[0]) {
                    throw new EmbedException("no room");
                }
                super.add(values);
            }
        };
        try (VectorIndex index = new DefaultVectorIndex(shard, IndexOptions.defaults(), () -> {})) {
            index.add(new float[][] {{1}});
            refusesFrom[0] = 2;
            Iterator<float[]> rows = Stream.generate(() -> new float[] {1})
                    .limit(DefaultVectorIndex.NUMBERS_AT_A_TIME + 1)
                    .iterator();
            assertThatThrownBy(() -> index.add(VectorRows.of(1, rows))).hasMessage("no room");
            assertThat(shard.rows()).isEqualTo(1);
            index.add(new float[][] {{1}});
            assertThat(ids(index.search(new float[][] {{1}}, 5), 0)).containsExactly(0L, 1L);
        }
    }

    @Test
    void otherLengthsAndKAreNamed() {
        try (VectorIndex index = index(2)) {
            assertThatThrownBy(() -> index.add(new float[][] {{1, 1, 1}}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Vector 0 has 3 numbers, expected 2.");
            assertThatThrownBy(() -> index.add(VectorRows.of(3, new float[][] {{1, 1, 1}})))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("The rows have 3 numbers each; this index holds vectors of 2.");
            assertThatThrownBy(() -> index.search(Embeddings.of(1, new float[1], new int[1], new boolean[1]), 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("The queries have 1 numbers each; this index holds vectors of 2.");
            assertThatThrownBy(() -> index.search(new float[][] {{1, 1}}, 0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("k must be 1 to 4096, found 0.");
        }
    }

    @Test
    void whatFp16CannotHoldIsNamed() {
        IndexOptions fp16 = IndexOptions.defaults().withStorage(Precision.FP16).withSimilarity(SimilarityFunction.DOT);
        try (VectorIndex index = index(1, fp16)) {
            assertThatThrownBy(() -> index.add(new float[][] {{65504}, {-65505}}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "Row 1 holds -65505.0, more than the largest fp16 number, 65504. Use the storage bf16 or"
                                    + " fp32.");
        }
    }

    @Test
    void searchesDuringChangesSeeOneState() throws InterruptedException {
        try (VectorIndex index = index(1)) {
            int rounds = 300;
            Thread writer = new Thread(() -> {
                for (int round = 0; round < rounds; round++) {
                    index.add(tens());
                    index.delete(round * 10L, round * 10L + 9);
                }
            });
            writer.start();
            while (writer.isAlive()) {
                // Ten rows come at once, of which two then go at once: 0, 10, 8, 18, 16, 26, 24 ...
                int found = index.search(new float[][] {{1}}, 4096).count(0);
                assertThat(found % 8).isIn(0, 2);
            }
            writer.join();
            assertThat(index.size()).isEqualTo(8 * rounds);
        }
    }

    private static float[][] tens() {
        float[][] rows = new float[10][1];
        for (float[] row : rows) {
            row[0] = 1;
        }
        return rows;
    }

    @Test
    void closingReleasesTheDeviceOnce() {
        int[] released = {0};
        VectorIndex index = new DefaultVectorIndex(
                new PlainIndexShard(IndexSpec.exact(2)), IndexOptions.defaults(), () -> released[0]++);
        index.close();
        index.close();
        assertThat(released[0]).isEqualTo(1);
        assertThatThrownBy(() -> index.search(new float[][] {{1, 1}}, 1))
                .isInstanceOfSatisfying(
                        EmbedException.class, e -> assertThat(e.helpTopic()).isEqualTo(HelpTopic.INDEX_CLOSED));
        assertThatThrownBy(() -> index.add(new float[][] {{1, 1}})).hasMessageStartingWith("The index is closed.");
        assertThatThrownBy(() -> index.delete(1)).hasMessageStartingWith("The index is closed.");
    }
}
