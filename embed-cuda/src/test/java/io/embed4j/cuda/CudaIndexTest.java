// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.Hits;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.spec.DType;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceRows;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.IndexSpec.Rescoring;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.RowSelection;
import io.embed4j.spi.VectorBlock;
import io.embed4j.testkit.BruteForce;
import io.embed4j.testkit.Fixture;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import jcuda.driver.CUresult;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is particular to an index on a GPU: its memory, what does not fit there, vectors that stay there, failures. */
@RequiresDevice
class CudaIndexTest {
    private static final long GRANULE = 2L << 20;

    private final EmulatedDevice emulated = new EmulatedDevice();
    private final Device device = new CudaBackendProvider().open(DeviceId.parse("cuda:0"));
    private final Random random = new Random(31);

    @AfterEach
    void close() {
        device.close();
        emulated.close();
    }

    private float[] gaussians(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static FloatBuffer part(float[] rows, int dimension, int from, int to) {
        return FloatBuffer.wrap(rows, from * dimension, (to - from) * dimension);
    }

    private static IndexSpec exact(int dimension, DType storage) {
        return new IndexSpec(dimension, storage, Rescoring.EXACT);
    }

    private static void check(
            String what, IndexShard shard, float[] rows, float[] queries, int k, RowSelection selection) {
        Hits hits = shard.search(FloatBuffer.wrap(queries), k, selection);
        new BruteForce(shard.spec().dimension(), rows)
                .check(what, hits, queries, selection.rows(), selection::contains);
    }

    // ---- memory ----

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void whatIsPlannedIsAllocatedToTheByte(DType storage) {
        for (int dimension : new int[] {3, 384}) {
            IndexSpec spec = exact(dimension, storage);
            long used = emulated.usedBytes();
            long live = emulated.liveAllocations();
            long reserved = device.memory().reservedBytes();
            float[] rows = gaussians(9000 * dimension);
            try (IndexShard shard = device.index(spec)) {
                int count = 0;
                for (int added : new int[] {0, 1, 127, 1500, 7000}) {
                    shard.add(part(rows, dimension, count, count + added));
                    count += added;
                    long planned = device.planIndex(spec, count).device().totalBytes();
                    assertThat(emulated.usedBytes() - used).isEqualTo(planned);
                    assertThat(device.memory().reservedBytes() - reserved).isEqualTo(planned);
                    long calls = emulated.memoryCalls();
                    check(storage + " " + count, shard, rows, gaussians(2 * dimension), 5, RowSelection.first(count));
                    assertThat(emulated.memoryCalls())
                            .as("allocations of a search")
                            .isEqualTo(calls);
                }
            }
            assertThat(emulated.usedBytes()).isEqualTo(used);
            assertThat(emulated.liveAllocations()).isEqualTo(live);
            assertThat(device.memory().reservedBytes()).isEqualTo(reserved);
        }
    }

    @Test
    void anIndexThatDoesNotFitIsRefusedBeforeTheDeviceIsTouched() {
        IndexSpec spec = exact(384, DType.FP32);
        long planned = device.planIndex(spec, 0).device().totalBytes();
        emulated.memorySize(emulated.usedBytes() + planned - GRANULE);
        long calls = emulated.memoryCalls();

        assertThatThrownBy(() -> device.index(spec))
                .isInstanceOfSatisfying(OutOfDeviceMemoryException.class, e -> {
                    assertThat(e.report().neededBytes()).isEqualTo(planned);
                    assertThat(e.report().freeBytes()).isEqualTo(planned - GRANULE);
                })
                .hasMessageContainingAll("An index of 384 numbers a row", "cuda:0 has", "use the device cpu");

        assertThat(emulated.memoryCalls()).isEqualTo(calls);
        emulated.memorySize(emulated.usedBytes() + planned);
        try (IndexShard shard = device.index(spec)) {
            assertThat(shard.rows()).isZero();
        }
    }

    // ---- more than the device holds ----

    /** Room for about a third of the rows; the others go through the ring, for every kernel that scores. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void rowsBeyondTheDevicesMemoryAreStreamed(DType storage) {
        int dimension = 60;
        int count = 30_001;
        IndexSpec spec = exact(dimension, storage);
        float[] rows = gaussians(count * dimension);
        BitSet some = new BitSet();
        random.ints(4000, 0, count).forEach(some::set);
        some.clear(0, 20_000);
        BitSet early = new BitSet();
        early.set(17, 40);
        long room = storage == DType.FP32 ? GRANULE : 0;
        emulated.memorySize(
                emulated.usedBytes() + device.planIndex(spec, 0).device().totalBytes() + GRANULE + room);
        try (IndexShard shard = device.index(spec)) {
            shard.add(part(rows, dimension, 0, 1000));
            shard.add(part(rows, dimension, 1000, 25_000));
            FloatBuffer rest = ByteBuffer.allocateDirect((count - 25_000) * dimension * Float.BYTES)
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            shard.adopt(rest.put(part(rows, dimension, 25_000, count)).flip());
            assertThat(device.memory().reservedBytes())
                    .isLessThan(device.planIndex(spec, count).device().totalBytes() - GRANULE);
            for (int queries : new int[] {1, 5, 20, 150}) {
                float[] query = gaussians(queries * dimension);
                String what = storage + ", " + queries + " queries";
                check(what, shard, rows, query, 10, RowSelection.first(count));
                check(what, shard, rows, query, 300, RowSelection.of(count, some));
                check(what, shard, rows, query, 30, RowSelection.of(count, early));
                check(what, shard, rows, query, 10, RowSelection.first(999));
            }
            assertThat(shard.read(7000, 12_000))
                    .isEqualTo(Arrays.copyOfRange(rows, 7000 * dimension, 19_000 * dimension));
        }
    }

    @Test
    void withoutAnyRoomAllRowsAreStreamedAndResultsAreTheSame() {
        int dimension = 33;
        float[] rows = gaussians(3000 * dimension);
        float[] queries = gaussians(4 * dimension);
        IndexSpec spec = new IndexSpec(dimension, DType.FP16, Rescoring.NONE);
        RowSelection all = RowSelection.first(3000);
        Hits expected;
        try (IndexShard shard = device.index(spec)) {
            shard.add(FloatBuffer.wrap(rows));
            expected = shard.search(FloatBuffer.wrap(queries), 9, all);
        }
        emulated.memorySize(
                emulated.usedBytes() + device.planIndex(spec, 0).device().totalBytes());
        try (IndexShard shard = device.index(spec)) {
            shard.add(FloatBuffer.wrap(rows));
            Hits found = shard.search(FloatBuffer.wrap(queries), 9, all);
            for (int q = 0; q < 4; q++) {
                for (int rank = 0; rank < 9; rank++) {
                    assertThat(found.id(q, rank)).isEqualTo(expected.id(q, rank));
                    assertThat(found.score(q, rank)).isEqualTo(expected.score(q, rank));
                }
            }
        }
    }

    // ---- ties beyond the lists ----

    /** Lists of 5140: some queries have to be searched alone. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16"})
    void queriesWithManyNearEqualRowsAreSearchedAlone(DType storage) {
        int dimension = 4;
        int count = 20_000;
        float[] rows = gaussians(count * dimension);
        for (int row = 100; row < 19_000; row++) {
            rows[row * dimension] = 40;
        }
        IndexSpec spec = exact(dimension, storage);
        // Only the smallest workspace fits.
        emulated.memorySize(
                emulated.usedBytes() + device.planIndex(spec, 0).device().totalBytes() + 2 * GRANULE);
        try (IndexShard shard = device.index(spec)) {
            shard.add(FloatBuffer.wrap(rows));
            float[] queries = gaussians(90 * dimension);
            for (int q = 0; q < 90; q += 9) {
                Arrays.fill(queries, q * dimension, (q + 1) * dimension, 0);
                queries[q * dimension] = 1;
            }
            check(storage.toString(), shard, rows, queries, 1, RowSelection.first(count));
        }
    }

    /** Each batch is better than all before it: an eager search for many queries runs over. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16"})
    void rowsSortedAgainstTheSearchAreRanked(DType storage) {
        int count = 25_000;
        float[] rows = new float[count * 2];
        for (int row = 0; row < count; row++) {
            double angle = Math.PI / 2 * (count - row) / count;
            rows[2 * row] = (float) Math.cos(angle);
            rows[2 * row + 1] = (float) Math.sin(angle);
        }
        float[] queries = new float[2 * 95];
        for (int q = 0; q < 95; q++) {
            queries[2 * q] = 1 + q % 7;
            queries[2 * q + 1] = q % 3 == 0 ? -1 : 0;
        }
        IndexSpec spec = exact(2, storage);
        // Only the smallest workspace fits.
        emulated.memorySize(
                emulated.usedBytes() + device.planIndex(spec, 0).device().totalBytes() + 2 * GRANULE);
        try (IndexShard shard = device.index(spec)) {
            shard.add(FloatBuffer.wrap(rows));
            check(storage.toString(), shard, rows, queries, 4, RowSelection.first(count));
            check(storage.toString(), shard, rows, Arrays.copyOf(queries, 6), 4096, RowSelection.first(count));
        }
    }

    @Test
    void queriesWithMoreTiesThanAllListsHoldAreScoredRowByRow() {
        int count = 150_000;
        float[] rows = new float[count];
        Arrays.fill(rows, 0.5f);
        rows[count - 1] = 0.75f;
        rows[count - 2] = -1;
        IndexSpec spec = exact(1, DType.FP32);
        // Only the smallest workspace fits: it collects 131,072 candidates.
        emulated.memorySize(
                emulated.usedBytes() + device.planIndex(spec, 0).device().totalBytes() + 4 * GRANULE);
        try (IndexShard shard = device.index(spec)) {
            shard.add(FloatBuffer.wrap(rows));
            Hits hits = shard.search(FloatBuffer.wrap(new float[] {2, -2}), 3, RowSelection.first(count));
            assertThat(List.of(hits.id(0, 0), hits.id(0, 1), hits.id(0, 2))).containsExactly(count - 1L, 0L, 1L);
            assertThat(List.of(hits.score(0, 0), hits.score(0, 1))).containsExactly(1.5f, 1f);
            assertThat(List.of(hits.id(1, 0), hits.id(1, 1), hits.id(1, 2))).containsExactly(count - 2L, 0L, 1L);
        }
    }

    // ---- vectors that stay on the device ----

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void vectorsGoFromTheEncoderToTheIndexAndTheSearch(DType storage) {
        Fixture fixture = Fixture.load("bert-h48-a2");
        ModelDefinition model = ModelLoader.load(fixture.model());
        EncoderOptions options = new EncoderOptions("test", Precision.FP32, 64, 2048, List.of());
        List<int[]> tokens = new ArrayList<>();
        for (int text = 0; text < 40; text++) {
            tokens.add(random.ints(1 + text % 30, 5, 60).toArray());
        }
        PackedBatch batch = PackedBatch.of(tokens);
        OutputRequest.Pooled request = new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.MEAN), 48, true);
        long used = emulated.usedBytes();
        long reserved = device.memory().reservedBytes();
        try (Encoder encoder = device.load(model.spec(), model.weights(), options);
                IndexShard shard = device.index(exact(48, storage))) {
            long before = device.memory().reservedBytes();
            float[] vectors = new float[40 * 48];
            // The room gets the batch's rows in three parts, in another order.
            int[] places = IntStream.range(0, 40)
                    .map(row -> row < 13 ? 27 + row : row < 26 ? row + 1 : row - 26)
                    .toArray();
            try (VectorBlock room = encoder.room(40, 48).orElseThrow();
                    VectorBlock onHost = encoder.submit(
                                    batch,
                                    request,
                                    List.of(
                                            new Encoder.Placement(0, 13, room, 27),
                                            new Encoder.Placement(13, 13, room, 14),
                                            new Encoder.Placement(26, 14, room, 0)))
                            .result()
                            .join()) {
                assertThat(room.device()).isEqualTo(DeviceId.parse("cuda:0"));
                assertThat(List.of(room.rows(), room.dimension())).containsExactly(40, 48);
                assertThat(device.memory().reservedBytes() - before).isEqualTo(GRANULE);
                onHost.copyTo(FloatBuffer.wrap(vectors));
                float[] copied = new float[vectors.length];
                room.copyTo(FloatBuffer.wrap(copied));
                for (int row = 0; row < 40; row++) {
                    assertThat(Arrays.copyOfRange(copied, places[row] * 48, (places[row] + 1) * 48))
                            .isEqualTo(Arrays.copyOfRange(vectors, row * 48, (row + 1) * 48));
                }

                DeviceRows placed = new DeviceRows(room, places, FloatBuffer.wrap(vectors));
                shard.add(placed);
                shard.add(FloatBuffer.wrap(vectors));
                shard.add(placed);
                float[] rows = Arrays.copyOf(vectors, 3 * vectors.length);
                System.arraycopy(vectors, 0, rows, vectors.length, vectors.length);
                System.arraycopy(vectors, 0, rows, 2 * vectors.length, vectors.length);
                Hits hits = shard.search(placed, 7, RowSelection.first(120));
                new BruteForce(48, rows).check(storage.toString(), hits, vectors, 120, row -> true);
                assertThat(shard.read(30, 60)).isEqualTo(Arrays.copyOfRange(rows, 30 * 48, 90 * 48));
            }
        }
        assertThat(device.memory().reservedBytes()).isEqualTo(reserved);
        assertThat(emulated.usedBytes()).isEqualTo(used);
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16"})
    void vectorsOnAFullDeviceGoOnToTheHost(DType storage) {
        int dimension = 300;
        int count = 5000;
        IndexSpec spec = exact(dimension, storage);
        float[] rows = gaussians(count * dimension);
        try (DeviceVectors block = onDevice(rows, dimension)) {
            emulated.memorySize(
                    emulated.usedBytes() + device.planIndex(spec, 0).device().totalBytes() + GRANULE);
            try (IndexShard shard = device.index(spec)) {
                shard.add(new DeviceRows(block, IntStream.range(0, count).toArray(), FloatBuffer.wrap(rows)));
                check(storage.toString(), shard, rows, gaussians(3 * dimension), 20, RowSelection.first(count));
            }
        }
    }

    private DeviceVectors onDevice(float[] rows, int dimension) {
        return emulated.vectors(device.memory(), rows, dimension);
    }

    // ---- many threads, and what goes wrong ----

    @Test
    void closingWaitsForSearchesAndRefusesLaterOnes() throws InterruptedException {
        int dimension = 40;
        float[] rows = gaussians(3000 * dimension);
        float[] queries = gaussians(3 * dimension);
        long used = emulated.usedBytes();
        IndexShard shard = device.index(exact(dimension, DType.FP16));
        shard.add(FloatBuffer.wrap(rows));
        BruteForce truth = new BruteForce(dimension, rows);
        AtomicInteger done = new AtomicInteger();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread[] searchers = new Thread[4];
        for (int t = 0; t < searchers.length; t++) {
            searchers[t] = new Thread(() -> {
                try {
                    while (true) {
                        Hits hits = shard.search(FloatBuffer.wrap(queries), 5, RowSelection.first(3000));
                        truth.check("search", hits, queries, 3000, row -> true);
                        done.incrementAndGet();
                    }
                } catch (IllegalStateException e) {
                    assertThat(e).hasMessage("This index shard is closed.");
                } catch (Throwable e) {
                    failure.set(e);
                }
            });
            searchers[t].start();
        }
        while (done.get() < 8 && failure.get() == null) {
            Thread.sleep(5);
        }
        shard.close();
        for (Thread searcher : searchers) {
            searcher.join();
        }
        assertThat(failure.get()).isNull();
        assertThat(emulated.usedBytes()).isEqualTo(used);
        shard.close();
    }

    @Test
    void rowsThatAreNotFiniteAreRefusedTogether() {
        float[] rows = gaussians(50 * 5);
        float[] bad = gaussians(20 * 5);
        try (IndexShard shard = device.index(exact(5, DType.FP32))) {
            shard.add(part(rows, 5, 0, 30));
            for (float value : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
                bad[57] = value;
                assertThatThrownBy(() -> shard.add(FloatBuffer.wrap(bad)))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("One of 20 rows to be added holds NaN or infinity; none of them was added.");
                assertThat(shard.rows()).isEqualTo(30);
            }
            shard.add(part(rows, 5, 30, 50));
            check("after it", shard, rows, gaussians(10), 50, RowSelection.first(50));
        }
    }

    /** Whatever call fails, an append adds all or nothing, a search is right or fails, and nothing leaks. */
    @Test
    void failuresOfTheDeviceAreToldAndLeaveNothingBehind() {
        int dimension = 20;
        float[] rows = gaussians(400 * dimension);
        float[] queries = gaussians(2 * dimension);
        long used = emulated.usedBytes();
        long live = emulated.liveAllocations();
        int failures = 0;
        for (int call = 1; call < 60; call++) {
            try (IndexShard shard = device.index(exact(dimension, DType.FP16))) {
                shard.add(part(rows, dimension, 0, 200));
                emulated.failCall(call, CUresult.CUDA_ERROR_UNKNOWN);
                boolean added = false;
                try {
                    shard.add(part(rows, dimension, 200, 400));
                    added = true;
                    check("call " + call, shard, rows, queries, 9, RowSelection.first(400));
                } catch (EmbedException e) {
                    failures++;
                }
                emulated.heal();
                assertThat(shard.rows()).isEqualTo(added ? 400 : 200);
            }
            assertThat(emulated.usedBytes()).isEqualTo(used);
            assertThat(emulated.liveAllocations()).isEqualTo(live);
        }
        assertThat(failures).isBetween(10, 58);
    }

    /** Every access of the kernels is looked at, in several orders of threads. */
    @Test
    void nothingIsWrongUnderTheChecks() {
        int dimension = 50;
        float[] rows = gaussians(700 * dimension);
        long faults = emulated.faults();
        emulated.checks(true);
        for (DType storage : new DType[] {DType.FP32, DType.FP16}) {
            for (int seed = 0; seed < 3; seed++) {
                emulated.schedulerSeed(seed);
                try (IndexShard shard = device.index(exact(dimension, storage))) {
                    shard.add(part(rows, dimension, 0, 600));
                    shard.add(part(rows, dimension, 600, 700));
                    BitSet odd = new BitSet();
                    for (int row = 1; row < 700; row += 2) {
                        odd.set(row);
                    }
                    for (int queries : new int[] {1, 7, 140}) {
                        float[] query = gaussians(queries * dimension);
                        check(storage + " seed " + seed, shard, rows, query, 10, RowSelection.first(700));
                        check(storage + " seed " + seed, shard, rows, query, 100, RowSelection.of(700, odd));
                    }
                }
            }
        }
        assertThat(emulated.faults()).isEqualTo(faults);
    }
}
