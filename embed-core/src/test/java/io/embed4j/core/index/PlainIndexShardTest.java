// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Hits;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import io.embed4j.testkit.IndexContract;
import java.nio.FloatBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class PlainIndexShardTest extends IndexContract {

    @Override
    protected IndexShard open(IndexSpec spec) {
        return new PlainIndexShard(spec);
    }

    /** As slow as the brute force that it is held to, and without any size at which it does something else. */
    @Override
    protected long fullWork(int dimension) {
        return 20_000_000;
    }

    /** Scores that differ in float64 only: in fp32 they would tie, and the lower row would win. */
    @Test
    void scoresAreComparedInFloat64() {
        float[] rows = {1, 0, 1, 0x1p-30f};
        try (PlainIndexShard shard = new PlainIndexShard(IndexSpec.exact(2))) {
            shard.add(FloatBuffer.wrap(rows));
            Hits hits = shard.search(FloatBuffer.wrap(new float[] {1, 1}), 2, RowSelection.first(2));
            assertThat(List.of(hits.id(0, 0), hits.id(0, 1))).containsExactly(1L, 0L);
            assertThat(hits.score(0, 0)).isEqualTo(hits.score(0, 1));
        }
    }
}
