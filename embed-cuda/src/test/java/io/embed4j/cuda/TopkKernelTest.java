// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.embed4j.core.index.ExactRescorer;
import io.embed4j.core.index.RowBounds;
import io.embed4j.core.index.ScoreMargin;
import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.DType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels of exact top-k, each alone. */
class TopkKernelTest {
    private static final int TENSOR_CORES_FOR_BF16 = 80;
    private static final int ORDERED_ZERO = 0x80000000;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(29);

    private static String name(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    // ---- candidates as kernels write them ----

    private static int orderedBits(float score) {
        int bits = Float.floatToRawIntBits(score);
        return bits < 0 ? ~bits : bits | ORDERED_ZERO;
    }

    private static float score(int orderedBits) {
        return Float.intBitsToFloat(orderedBits < 0 ? orderedBits & ~ORDERED_ZERO : ~orderedBits);
    }

    /** Lists of candidates on the device; a key is two ints, the lower first. */
    private record Lists(int queries, int capacity, DeviceArray keys, DeviceArray counts, DeviceArray limits) {
        int count(int query) {
            return (int) bench.read(counts)[query];
        }

        /** Scores by row; fails if a row is there twice. */
        TreeMap<Integer, Float> candidates(int query) {
            double[] words = bench.read(keys);
            TreeMap<Integer, Float> found = new TreeMap<>();
            for (int i = 0; i < Math.min(capacity, count(query)); i++) {
                int at = 2 * (query * capacity + i);
                assertThat(found.put(~(int) words[at], score((int) words[at + 1])))
                        .as("row %s is there once", ~(int) words[at])
                        .isNull();
            }
            return found;
        }
    }

    private static Lists lists(int queries, int capacity, float... limits) {
        double[] all = new double[queries];
        Arrays.setAll(all, q -> limits[q % limits.length]);
        return new Lists(
                queries,
                capacity,
                bench.unwritten(DType.INT32, 2 * queries * capacity),
                bench.ints(new int[queries]),
                bench.array(DType.FP32, all));
    }

    private static @Nullable DeviceArray bits(@Nullable BitSet filter, int rows) {
        if (filter == null) {
            return null;
        }
        int[] words = new int[(rows + 31) / 32];
        filter.stream().filter(row -> row < rows).forEach(row -> words[row / 32] |= 1 << row % 32);
        return bench.ints(words);
    }

    // ---- rows on the device ----

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void storesRowsAndMeasuresThem(DType type) {
        for (int dimension : new int[] {1, 31, 33, 384, 1024, 4098}) {
            int rows = 9;
            int stride = KernelBench.stride(dimension);
            double[] values = KernelBench.padded(random, rows, dimension, dimension);
            DeviceArray in = bench.array(DType.FP32, values);
            DeviceArray out = bench.unwritten(type, (rows + 1) * stride);
            DeviceArray largest = bench.array(DType.FP32, 0, 0, 0);

            bench.launch("topk_store_rows_" + name(type), Grid.of(4, 128), out, largest, in, rows, dimension, stride);

            double[] expected = new double[out.values().length];
            Arrays.fill(expected, rows * stride, expected.length, Twins.UNWRITTEN);
            for (int i = 0; i < rows * dimension; i++) {
                expected[i / dimension * stride + i % dimension] = in.values()[i];
            }
            double[] stored = bench.read(out);
            ByteBuffer rounded = ByteBuffer.allocate(Double.BYTES);
            assertThat(stored)
                    .containsExactly(Arrays.stream(expected)
                            .map(value -> StorageFormat.write(type, rounded, 0, value))
                            .toArray());
            double norm = 0;
            double error = 0;
            for (int row = 0; row < rows; row++) {
                double square = 0;
                double errorSquare = 0;
                for (int i = 0; i < stride; i++) {
                    double want = expected[row * stride + i];
                    square += want * want;
                    errorSquare += (want - stored[row * stride + i]) * (want - stored[row * stride + i]);
                }
                norm = Math.max(norm, Math.sqrt(square));
                error = Math.max(error, Math.sqrt(errorSquare));
            }
            double[] measured = bench.read(largest);
            assertThat(measured[0]).isBetween(norm, 1.01 * norm);
            assertThat(measured[1]).isBetween(error, 1.01 * error + 1e-18);
            assertThat(measured[2]).isZero();
        }
    }

    @Test
    void tellsWhereANumberIsNotFiniteAndThatHalvesOverflow() {
        for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY}) {
            DeviceArray largest = bench.array(DType.FP32, 0, 0, 0);
            DeviceArray in = bench.array(DType.FP32, 1, 2, 3, 4, bad, 6);
            DeviceArray out = bench.unwritten(DType.FP32, 3 * 8);

            bench.launch("topk_store_rows_fp32", Grid.of(1, 128), out, largest, in, 3, 2, 8);

            assertThat(bench.read(largest)[2]).isEqualTo(1);
        }
        DeviceArray largest = bench.array(DType.FP32, 0, 0, 0);
        DeviceArray in = bench.array(DType.FP32, 1e5, 1);

        bench.launch("topk_store_rows_fp16", Grid.of(1, 128), bench.unwritten(DType.FP16, 16), largest, in, 2, 1, 8);

        assertThat(bench.read(largest)[0]).isGreaterThanOrEqualTo(1e5);
        assertThat(bench.read(largest)[1]).isInfinite();
        assertThat(bench.read(largest)[2]).isZero();
    }

    // ---- scores ----

    /** A scanning kernel and what it is launched with. */
    private record Scan(String kernel, int queries, DType type) {
        boolean onTensorCores() {
            return kernel.contains("mma");
        }

        int sharedBytes(int stride) {
            if (!onTensorCores()) {
                return queries * ((stride + 31) / 32 * 32 + 1) * Float.BYTES;
            }
            int atOnce = queries > 32 ? 2 : 4;
            int steps = (stride + 32 * atOnce - 1) / (32 * atOnce) * atOnce;
            return (512 * steps + 32) * (queries / 8);
        }

        double unit() {
            return onTensorCores() ? ScoreMargin.TENSOR_CORES : ScoreMargin.FP32_ROUNDING;
        }
    }

    private record Corpus(
            DType type, int rows, int queries, int dimension, int stride, DeviceArray row, DeviceArray query) {
        double exact(int q, int r) {
            double sum = 0;
            for (int i = 0; i < dimension; i++) {
                sum += query.values()[q * stride + i] * row.values()[r * stride + i];
            }
            return sum;
        }

        private static RowBounds bounds(double[] values, int from, int dimension) {
            float[] vector = new float[dimension];
            for (int i = 0; i < dimension; i++) {
                vector[i] = (float) values[from + i];
            }
            return RowBounds.of(vector, 0, dimension, DType.FP32);
        }

        double margin(int q, int r, double unit) {
            return new ScoreMargin(dimension, unit)
                    .of(bounds(query.values(), q * stride, dimension), bounds(row.values(), r * stride, dimension));
        }
    }

    private Corpus corpus(DType type, int rows, int queries, int dimension) {
        int stride = KernelBench.stride(dimension);
        return new Corpus(
                type,
                rows,
                queries,
                dimension,
                stride,
                bench.array(type, KernelBench.padded(random, rows, dimension, stride)),
                bench.array(type, KernelBench.padded(random, queries, dimension, stride)));
    }

    private void launch(
            Scan scan,
            Lists lists,
            Corpus corpus,
            @Nullable BitSet filter,
            int firstRow,
            int first,
            int end,
            int step) {
        bench.launch(
                scan.kernel(),
                new Grid(2, 1, 256, 1, scan.sharedBytes(corpus.stride())),
                lists.keys(),
                lists.counts(),
                lists.capacity(),
                lists.limits(),
                corpus.row(),
                firstRow,
                bits(filter, corpus.rows()),
                corpus.rows(),
                first,
                end,
                step,
                corpus.query(),
                corpus.queries(),
                corpus.stride());
    }

    private void scansAsItsTwin(Scan scan, int rows, int queries, int dimension) {
        Corpus corpus = corpus(scan.type(), rows, queries, dimension);
        int tiles = (rows + 31) / 32;
        int step = TopkKernels.tileStep(tiles);
        Lists all = lists(queries, rows, Float.NEGATIVE_INFINITY);
        int split = tiles / 2;
        launch(scan, all, corpus, null, 1000, 0, split, step);
        launch(scan, all, corpus, null, 1000, split, tiles, step);

        double worst = 0;
        for (int q = 0; q < queries; q++) {
            TreeMap<Integer, Float> found = all.candidates(q);
            assertThat(found.keySet())
                    .containsExactlyElementsOf(
                            IntStream.range(1000, 1000 + rows).boxed().toList());
            for (Map.Entry<Integer, Float> candidate : found.entrySet()) {
                int r = candidate.getKey() - 1000;
                double error = Math.abs(candidate.getValue() - corpus.exact(q, r));
                worst = Math.max(worst, error / corpus.margin(q, r, scan.unit()));
            }
        }
        String report = String.format(
                Locale.ROOT,
                "%s [%d, %d] with %d: %.0f %% of the proven margin",
                scan.kernel(),
                rows,
                dimension,
                queries,
                100 * worst);
        System.out.println(report);
        assertThat(worst).as(report).isLessThanOrEqualTo(1);

        // Limits and filters decide which of these are written, and change no score.
        float limit = (float) (0.5 * Math.sqrt(dimension));
        BitSet filter = new BitSet();
        IntStream.range(0, rows)
                .filter(r -> random.nextBoolean() && r / 32 != 1)
                .forEach(filter::set);
        Lists some = lists(queries, rows, limit, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
        launch(scan, some, corpus, filter, 1000, 0, tiles, step);
        for (int q = 0; q < queries; q++) {
            TreeMap<Integer, Float> expected = all.candidates(q);
            float from = new float[] {limit, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY}[q % 3];
            expected.entrySet().removeIf(e -> !filter.get(e.getKey() - 1000) || !(e.getValue() >= from));
            assertThat(some.candidates(q)).isEqualTo(expected);
            assertThat(some.count(q)).isEqualTo(expected.size());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void scansByPlainMultiplication(DType type) {
        for (int dimension : new int[] {1, 7, 33, 384, 1000}) {
            Scan one = new Scan("topk_scan_" + name(type) + "_q1", 1, type);
            Scan eight = new Scan("topk_scan_" + name(type) + "_q8", 8, type);
            for (int rows : new int[] {1, 31, 33, 700}) {
                scansAsItsTwin(one, rows, 1, dimension);
                scansAsItsTwin(eight, rows, rows == 33 ? 8 : 5, dimension);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP16", "BF16"})
    void scansOnTensorCores(DType type) {
        assumeTrue(bench.computeCapability() >= TENSOR_CORES_FOR_BF16, "The device has no tensor cores for this.");
        for (int queries : new int[] {8, 16, 32, 64, 128}) {
            Scan scan = new Scan("topk_scan_mma_" + name(type) + "_q" + queries, queries, type);
            for (int dimension : new int[] {1, 33, 384}) {
                for (int rows : new int[] {1, 31, 33, 300}) {
                    scansAsItsTwin(scan, rows, rows == 33 ? queries : queries / 2 + 1, dimension);
                }
            }
        }
        scansAsItsTwin(new Scan("topk_scan_mma_" + name(type) + "_q8", 8, type), 70, 3, 4096);
    }

    @Test
    void aFullListIsNotOverrunButSaysSo() {
        Corpus corpus = corpus(DType.FP32, 700, 2, 8);
        Lists lists = lists(2, 64, Float.NEGATIVE_INFINITY, 1);

        launch(new Scan("topk_scan_fp32_q8", 8, DType.FP32), lists, corpus, null, 0, 0, 22, 1);

        assertThat(lists.count(0)).isEqualTo(700);
        assertThat(lists.candidates(0)).hasSize(64);
        assertThat(lists.candidates(1).values()).allMatch(score -> score >= 1);
    }

    @Test
    void filtersATileOfScores() {
        for (int columns : new int[] {1, 31, 1023, 1025, 2100}) {
            int queries = 3;
            int stride = (columns + 3) / 4 * 4 + 4;
            double[] values = random.doubles((long) queries * stride, -1, 1).toArray();
            DeviceArray scores = bench.array(DType.FP32, values);
            BitSet filter = new BitSet();
            IntStream.range(0, columns).filter(c -> random.nextInt(3) > 0).forEach(filter::set);
            for (BitSet some : new BitSet[] {null, filter}) {
                Lists lists = lists(queries, columns, Float.NEGATIVE_INFINITY, 0.9f, Float.POSITIVE_INFINITY);

                bench.launch(
                        "topk_filter",
                        new Grid((columns + 1023) / 1024, queries, 256, 1, 0),
                        lists.keys(),
                        lists.counts(),
                        lists.capacity(),
                        lists.limits(),
                        scores,
                        columns,
                        stride,
                        64,
                        bits(some, columns));

                for (int q = 0; q < queries; q++) {
                    TreeMap<Integer, Float> expected = new TreeMap<>();
                    for (int c = 0; c < columns; c++) {
                        float score = (float) scores.values()[q * stride + c];
                        if ((some == null || some.get(c))
                                && score >= lists.limits().values()[q]) {
                            expected.put(64 + c, score);
                        }
                    }
                    assertThat(lists.candidates(q)).isEqualTo(expected);
                }
            }
        }
    }

    // ---- lists of candidates ----

    /** What to fill lists with: scores from a few values or many, both signs, zeros of both signs. */
    private float randomScore(int kind) {
        return switch (kind) {
            case 0 -> (float) random.nextGaussian();
            case 1 -> (random.nextInt(5) - 2) * 0.25f;
            case 2 -> random.nextBoolean() ? 0f : -0f;
            default -> Float.intBitsToFloat(0x3f800000 + random.nextInt(700)); // neighbours in the last bits
        };
    }

    private void compacts(int kind, int count, int capacity, int k, int room, float margin) {
        float[] scores = new float[count];
        double[] words = new double[2 * capacity];
        for (int i = 0; i < count; i++) {
            scores[i] = randomScore(kind);
            words[2 * i] = ~(3 * i);
            words[2 * i + 1] = orderedBits(scores[i]);
        }
        DeviceArray keys = bench.array(DType.INT32, words);
        DeviceArray counts = bench.ints(count);
        float before = -1e30f;
        Lists lists = new Lists(1, capacity, keys, counts, bench.array(DType.FP32, before));
        DeviceArray lost = bench.ints(0);

        bench.launch(
                "topk_compact",
                Grid.of(1, 512),
                keys,
                counts,
                lists.limits(),
                lost,
                bench.array(DType.FP32, margin),
                capacity,
                k,
                room);

        float[] sorted = scores.clone();
        Arrays.sort(sorted);
        double exactLimit = count < k ? before : (double) sorted[count - k] - 2.0 * margin;
        double limit = bench.read(lists.limits())[0];
        double from = Double.isInfinite(limit) ? exactLimit : limit;
        TreeMap<Integer, Float> expected = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            if (scores[i] >= from || count < k) {
                expected.put(3 * i, scores[i]);
            }
        }
        if (expected.size() > capacity - room) {
            assertThat(bench.read(lost)).containsExactly(1);
            assertThat(lists.count(0)).isZero();
            assertThat(bench.read(lists.limits())[0]).isEqualTo(Double.POSITIVE_INFINITY);
        } else {
            assertThat(bench.read(lost)).containsExactly(0);
            assertThat(lists.candidates(0)).isEqualTo(expected);
            assertThat(limit)
                    .isLessThanOrEqualTo(exactLimit)
                    .isGreaterThanOrEqualTo(exactLimit - 3e-7 * Math.max(1e-30, Math.abs(exactLimit)) - 1e-37);
        }
    }

    @Test
    void compactsToWhatCanStillBeAmongTheBest() {
        for (int kind = 0; kind < 4; kind++) {
            for (int[] size : new int[][] {{0, 1}, {1, 1}, {5, 10}, {511, 10}, {513, 512}, {1500, 10}, {1500, 1500}}) {
                for (float margin : new float[] {0, 1e-6f, 0.1f}) {
                    compacts(kind, size[0], 2000, size[1], 100, margin);
                }
            }
        }
        compacts(1, 1500, 1600, 10, 1400, 0); // ties beyond the room
        compacts(0, 1500, 1600, 1400, 200, 0.1f);
    }

    @Test
    void aListThatRanOverIsLostAndStaysLost() {
        DeviceArray keys = bench.unwritten(DType.INT32, 2 * 3 * 16);
        DeviceArray counts = bench.ints(17, 3, 5);
        DeviceArray limits = bench.array(DType.FP32, 0, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);
        DeviceArray lost = bench.ints(0, 1, 0);

        bench.launch(
                "topk_compact",
                Grid.of(3, 512),
                keys,
                counts,
                limits,
                lost,
                bench.array(DType.FP32, 0, 0, 0),
                16,
                10,
                0);

        assertThat(bench.read(lost)).containsExactly(1, 1, 0);
        assertThat(bench.read(counts)).containsExactly(0, 0, 5);
        assertThat(bench.read(limits))
                .containsExactly(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY);
    }

    @Test
    void collectsListsBesideEachOther() {
        int capacity = 300;
        int[] counts = {3, 0, 300, 200, 129};
        double[] words =
                random.ints(2L * counts.length * capacity).asDoubleStream().toArray();
        DeviceArray keys = bench.array(DType.INT32, words);
        int packedCapacity = 500; // not all fit
        DeviceArray packed = bench.unwritten(DType.INT32, 2 * packedCapacity);
        DeviceArray offsets = bench.ints(new int[counts.length]);
        DeviceArray collected = bench.ints(0);

        bench.launch(
                "topk_collect",
                Grid.of(counts.length, 128),
                packed,
                offsets,
                collected,
                packedCapacity,
                keys,
                bench.ints(counts),
                capacity);

        assertThat(bench.read(collected)).containsExactly(Arrays.stream(counts).sum());
        double[] found = bench.read(packed);
        BitSet taken = new BitSet();
        int fitting = 0;
        for (int q = 0; q < counts.length; q++) {
            int offset = (int) bench.read(offsets)[q];
            fitting += offset >= 0 ? 1 : 0;
            for (int i = 0; i < counts[q] && offset >= 0; i++) {
                assertThat(taken.get(offset + i)).isFalse();
                taken.set(offset + i);
                assertThat(found[2 * (offset + i)]).isEqualTo(words[2 * (q * capacity + i)]);
                assertThat(found[2 * (offset + i) + 1]).isEqualTo(words[2 * (q * capacity + i) + 1]);
            }
        }
        assertThat(fitting).isBetween(2, counts.length - 1);
    }

    @Test
    void rescoresToTheBitAsTheHost() {
        for (int dimension : new int[] {1, 7, 384, 1001}) {
            int stride = KernelBench.stride(dimension);
            int[] pieceRows = {0, 5, 69};
            DeviceArray[] pieces = new DeviceArray[3];
            double[] addresses = new double[6];
            for (int p = 0; p < 3; p++) {
                int rows = p == 2 ? 40 : pieceRows[p + 1] - pieceRows[p];
                pieces[p] = bench.array(DType.FP32, KernelBench.padded(random, rows, dimension, stride));
                long address = pieces[p].memory().pointer().address();
                addresses[2 * p] = (int) address;
                addresses[2 * p + 1] = (int) (address >>> 32);
            }
            DeviceArray queries = bench.array(DType.FP32, KernelBench.padded(random, 3, dimension, dimension));
            int[][] candidates = {{0, 4, 5, 108}, {}, IntStream.range(0, 109).toArray()};
            int[] offsets = {150, -1, 10};
            double[] words = new double[2 * 160];
            for (int q = 0; q < 3; q++) {
                for (int i = 0; i < candidates[q].length; i++) {
                    words[2 * (offsets[q] + i)] = ~candidates[q][i];
                }
            }
            DeviceArray scores = bench.unwritten(DType.FP64, 160);

            bench.launch(
                    "topk_rescore",
                    new Grid(1, 3, 128, 1, 0),
                    scores,
                    bench.array(DType.INT32, words),
                    bench.ints(offsets),
                    bench.ints(4, 7, 109),
                    bench.array(DType.INT32, addresses),
                    bench.ints(pieceRows),
                    3,
                    108,
                    queries,
                    dimension,
                    stride);

            double[] expected = new double[160];
            Arrays.fill(expected, Twins.UNWRITTEN);
            for (int q : new int[] {0, 2}) {
                for (int i = 0; i < candidates[q].length; i++) {
                    int row = candidates[q][i];
                    if (row >= 108) {
                        continue; // not on the device
                    }
                    int piece = row < 5 ? 0 : row < 69 ? 1 : 2;
                    expected[offsets[q] + i] = ExactRescorer.score(
                            floats(queries.values()),
                            q * dimension,
                            floats(pieces[piece].values()),
                            (row - pieceRows[piece]) * stride,
                            dimension);
                }
            }
            assertThat(bench.read(scores)).containsExactly(expected);
        }
    }

    private static float[] floats(double[] values) {
        float[] result = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            result[i] = (float) values[i];
        }
        return result;
    }
}
