// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.VectorBlock;
import io.embed4j.spi.WeightSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two tenants of random shape, precision and budget: what is planned is what is allocated, to the byte; in exactly that
 * much memory both run; in one granule less the second is refused, and nothing was asked of the driver.
 */
@RequiresDevice
class ExactPlanTest {
    private static final long GRANULE = 2L << 20;
    private static final long LARGEST_WEIGHT_BYTES = 64L << 20;
    private static final List<Precision> PRECISIONS = List.of(Precision.FP32, Precision.FP16, Precision.BF16);

    @TempDir
    private Path folder;

    private EmulatedDevice emulated;
    private Device device;

    @BeforeEach
    void open() throws Exception {
        RandomModel.writeZeros(folder, LARGEST_WEIGHT_BYTES);
        emulated = new EmulatedDevice();
        device = new CudaBackendProvider().open(new DeviceId("cuda", 0));
    }

    @AfterEach
    void close() {
        if (device != null) {
            device.close();
        }
        if (emulated != null) {
            emulated.close();
        }
    }

    /** A tenant that may be loaded. */
    private record Tenant(EncoderSpec spec, WeightSource weights, EncoderOptions options) {
        static Tenant random(Random random, RandomModel models) {
            EncoderSpec spec = models.spec();
            int positions = spec.embedding().positions().usablePositions();
            int budget = positions + (int) Math.exp(random.nextDouble() * Math.log(20_000));
            Precision precision = PRECISIONS.get(random.nextInt(PRECISIONS.size()));
            return new Tenant(
                    spec, models.weights(spec), new EncoderOptions("tenant", precision, positions, budget, List.of()));
        }

        long planned(Device device) {
            return device.plan(spec, weights.types(), options).totalBytes();
        }

        Encoder load(Device device) {
            return device.load(spec, weights, options);
        }

        /** A batch as large as the budget, in rows as long as they may be. */
        void run(Encoder encoder) throws Exception {
            int longest = options.maxTokensPerText();
            int[] row = new int[longest];
            List<int[]> rows =
                    java.util.Collections.nCopies(Math.max(1, Math.min(4, options.maxBatchTokens() / longest)), row);
            OutputRequest request = new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.MEAN), spec.outputSize(), true);
            try (VectorBlock block =
                    encoder.submit(PackedBatch.of(rows), request).result().get()) {
                assertThat(block.rows()).isEqualTo(rows.size());
            }
        }

        @Override
        public String toString() {
            return options + " of " + spec;
        }
    }

    private void check(int seed) throws Exception {
        Random random = new Random(seed);
        RandomModel models = new RandomModel(random, folder);
        Tenant first = Tenant.random(random, models);
        Tenant second = Tenant.random(random, models);
        String what = "seed " + seed + ": " + first + " and " + second;
        emulated.memorySize(2L << 30);
        long before = emulated.usedBytes();
        long both = first.planned(device) + second.planned(device);
        emulated.memorySize(before + both);
        try (Encoder one = first.load(device)) {
            assertThat(emulated.usedBytes() - before).as(what).isEqualTo(first.planned(device));
            try (Encoder two = second.load(device)) {
                assertThat(emulated.usedBytes() - before).as(what).isEqualTo(both);
                assertThat(device.memory().reservedBytes()).as(what).isEqualTo(both);
                assertThat(device.freeBytes()).as(what).isZero();
                first.run(one);
                second.run(two);
                assertThat(emulated.usedBytes() - before).as(what).isEqualTo(both);
            }
            emulated.memorySize(before + both - GRANULE);
            long calls = emulated.memoryCalls();
            assertThatThrownBy(() -> second.load(device))
                    .as(what)
                    .isInstanceOfSatisfying(
                            OutOfDeviceMemoryException.class,
                            e -> assertThat(e.report().neededBytes()
                                            - e.report().freeBytes())
                                    .isEqualTo(GRANULE));
            assertThat(emulated.memoryCalls()).as(what).isEqualTo(calls);
        }
        assertThat(emulated.usedBytes()).as(what).isEqualTo(before);
    }

    private void check(int firstSeed, int count) throws Exception {
        for (int seed = firstSeed; seed < firstSeed + count; seed++) {
            check(seed);
        }
    }

    @Test
    void twentyPairsOfTenants() throws Exception {
        check(0, 20);
    }

    @Test
    @Tag("full")
    void fiveHundredTenantsInPairs() throws Exception {
        check(20, 250);
    }
}
