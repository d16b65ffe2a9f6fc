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

    /** Rows that are taken back give back the memory that they took, and come again within the plan. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void rowsThatAreTakenBackGiveBackTheirMemory(DType storage) {
        IndexSpec spec = new IndexSpec(48, storage, IndexSpec.Rescoring.EXACT);
        long before = device().memory().reservedBytes();
        try (IndexShard shard = device().index(spec)) {
            shard.add(FloatBuffer.allocate(700 * 48));
            shard.search(FloatBuffer.allocate(48), 3, RowSelection.first(700));
            long reserved = device().memory().reservedBytes();
            Runnable takeBack = shard.mark();
            for (int piece = 0; piece < 6; piece++) {
                shard.add(FloatBuffer.allocate(20_000 * 48));
            }
            long more = device().memory().reservedBytes();
            takeBack.run();
            long rowBytes = 120_000L * 48 * storage.bytes();
            assertThat(more - device().memory().reservedBytes()).isGreaterThanOrEqualTo(rowBytes);
            long grown = device().planIndex(spec, 120_700).device().workspaceBytes()
                    - device().planIndex(spec, 700).device().workspaceBytes();
            assertThat(device().memory().reservedBytes() - reserved)
                    .as("the workspace may stay as it is")
                    .isLessThanOrEqualTo(grown);
            shard.add(FloatBuffer.allocate(120_000 * 48));
            assertThat(device().memory().reservedBytes() - before)
                    .isLessThanOrEqualTo(
                            device().planIndex(spec, 120_700).device().totalBytes());
        }
        assertThat(device().memory().reservedBytes()).isEqualTo(before);
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
