// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.spec.DType;
import io.embed4j.spi.Device;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a device's index has to pass: the contract of its shards, and that its memory is what was planned. */
public abstract class DeviceIndexContract extends IndexContract {

    /** The device under test; the subclass closes it. */
    protected abstract Device device();

    @Override
    protected final IndexShard open(IndexSpec spec) {
        return device().index(spec);
    }

    /** However rows come, no more is reserved than was planned for as many, and all is given back. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void reservedMemoryStaysWithinThePlan(DType storage) {
        for (IndexSpec.Rescoring rescoring : IndexSpec.Rescoring.values()) {
            IndexSpec spec = new IndexSpec(48, storage, rescoring);
            long before = device().memory().reservedBytes();
            try (IndexShard shard = device().index(spec)) {
                int[] pieces = {1, 1, 5, 900, 3, 20_000, 1};
                for (int piece : pieces) {
                    shard.add(FloatBuffer.allocate(piece * 48));
                    shard.search(FloatBuffer.allocate(48), 3, RowSelection.first(shard.rows()));
                    long reserved = device().memory().reservedBytes() - before;
                    long planned =
                            device().planIndex(spec, shard.rows()).device().totalBytes();
                    assertThat(reserved).isPositive().isLessThanOrEqualTo(planned);
                }
            }
            assertThat(device().memory().reservedBytes()).isEqualTo(before);
        }
    }
}
