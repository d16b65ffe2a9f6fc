// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Hits;
import io.embed4j.spec.DType;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import io.embed4j.testkit.BruteForce;
import io.embed4j.testkit.DeviceIndexContract;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CpuIndexTest extends DeviceIndexContract {
    private final Device device = new CpuBackendProvider().open(DeviceId.CPU);

    @Override
    protected Device device() {
        return device;
    }

    /** N x D x Q = 1e10: many short rows, usual ones, long ones. */
    @ParameterizedTest
    @Tag("full")
    @CsvSource({"1000003, 10, 1000", "260417, 384, 100", "97657, 1024, 100"})
    void tenBillionProductsAreThoseOfBruteForce(int count, int dimension, int queries) {
        Random random = new Random(count);
        float[] rows = unitVectors(random, count, dimension);
        float[] asked = unitVectors(random, queries, dimension);
        // Rows that tie with others, and with themselves from far away.
        System.arraycopy(rows, 0, rows, (count - 5000) * dimension, 4000 * dimension);
        BruteForce truth = new BruteForce(dimension, rows);
        int[][] rankings = truth.rankings(asked, 100);
        for (DType storage : new DType[] {DType.FP32, DType.FP16, DType.BF16}) {
            try (IndexShard shard = device.index(new IndexSpec(dimension, storage, IndexSpec.Rescoring.EXACT))) {
                shard.add(FloatBuffer.wrap(rows));
                Hits hits = shard.search(FloatBuffer.wrap(asked), 100, RowSelection.first(count));
                truth.check(storage + " of " + count + " x " + dimension, hits, asked, rankings);
            }
        }
    }

    /** The quick truth is the obvious one. */
    @Test
    void bruteForceOnAllCoresIsBruteForce() {
        float[] rows = unitVectors(new Random(7), 501, 9);
        System.arraycopy(rows, 0, rows, 300 * 9, 90 * 9);
        float[] queries = Arrays.copyOf(rows, 3 * 9);
        BruteForce truth = new BruteForce(9, rows);
        int[][] rankings = truth.rankings(queries, 20);
        for (int query = 0; query < 3; query++) {
            assertThat(rankings[query]).isEqualTo(truth.ranking(queries, query, 20, 501, row -> true));
        }
    }

    @AfterAll
    void closeDevice() {
        device.close();
    }
}
