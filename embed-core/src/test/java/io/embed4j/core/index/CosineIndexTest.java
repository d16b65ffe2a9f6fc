// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.embed4j.Embeddings;
import io.embed4j.Hits;
import io.embed4j.VectorIndex;
import io.embed4j.spi.IndexSpec;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CosineIndexTest {

    private static VectorIndex index(int dimension) {
        return new CosineIndex(dimension, new PlainIndexShard(IndexSpec.exact(dimension)), () -> {});
    }

    @Test
    void lengthsDoNotMatter() {
        try (VectorIndex index = index(2)) {
            index.add(new float[][] {{3e30f, 0}, {1e-30f, 1e-30f}, {0, -5}});
            Hits hits = index.search(new float[][] {{1e-20f, 0}, {2, 2}}, 3);
            assertThat(hits.id(0, 0)).isZero();
            assertThat(hits.score(0, 0)).isEqualTo(1);
            assertThat(hits.score(0, 1)).isCloseTo((float) Math.sqrt(0.5), within(1e-7f));
            assertThat(hits.id(1, 0)).isEqualTo(1);
            assertThat(hits.id(1, 2)).isEqualTo(2);
            assertThat(index.size()).isEqualTo(3);
            assertThat(index.dimension()).isEqualTo(2);
        }
    }

    @Test
    void filtersAndEmbeddingsGoThrough() {
        try (VectorIndex index = index(2)) {
            index.add(Embeddings.of(2, new float[] {1, 0, 0, 1}, new int[2], new boolean[2]));
            BitSet second = new BitSet();
            second.set(1);
            Hits hits = index.search(new float[][] {{1, 0}}, 2, second);
            assertThat(hits.count(0)).isEqualTo(1);
            assertThat(hits.id(0, 0)).isEqualTo(1);
            assertThat(index.search(Embeddings.of(2, new float[] {0, 9}, new int[1], new boolean[1]), 1)
                            .id(0, 0))
                    .isEqualTo(1);
        }
    }

    @Test
    void anEmptyIndexFindsNothing() {
        try (VectorIndex index = index(3)) {
            Hits hits = index.search(new float[][] {{1, 2, 3}}, 5);
            assertThat(hits.count(0)).isZero();
            assertThat(index.search(new float[0][], 5).queries()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0})
    void whatHasNoDirectionIsNamed(float bad) {
        try (VectorIndex index = index(2)) {
            float[] row = {bad, 0};
            assertThatThrownBy(() -> index.add(new float[][] {{1, 1}, row}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Row 1 has no direction: it is all zeros, or holds NaN or infinity.");
            assertThat(index.size()).as("nothing of the call was added").isZero();
            assertThatThrownBy(() -> index.search(new float[][] {row}, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Query 0 has no direction: it is all zeros, or holds NaN or infinity.");
        }
    }

    @Test
    void otherLengthsAndKAreNamed() {
        try (VectorIndex index = index(2)) {
            assertThatThrownBy(() -> index.add(new float[][] {{1, 1, 1}}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Row 0 has 3 numbers; this index holds vectors of 2.");
            assertThatThrownBy(() -> index.search(new float[][] {{1, 1}}, 0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("k must be at least 1, found 0.");
        }
    }

    @Test
    void closingReleasesTheDevice() {
        int[] released = {0};
        VectorIndex index = new CosineIndex(2, new PlainIndexShard(IndexSpec.exact(2)), () -> released[0]++);
        index.close();
        assertThat(released[0]).isEqualTo(1);
    }
}
