// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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

/** The kernels of exact top-k that store rows and append candidates to lists, each alone. */
class TopkKernelTest {
    private static final int TENSOR_CORES_FOR_BF16 = 80;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(29);

    private static String name(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
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
            CandidateLists lists,
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
        CandidateLists all = CandidateLists.of(bench, queries, rows, Float.NEGATIVE_INFINITY);
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
        CandidateLists some =
                CandidateLists.of(bench, queries, rows, limit, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
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
        CandidateLists lists = CandidateLists.of(bench, 2, 64, Float.NEGATIVE_INFINITY, 1);

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
                CandidateLists lists = CandidateLists.of(
                        bench, queries, columns, Float.NEGATIVE_INFINITY, 0.9f, Float.POSITIVE_INFINITY);

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
}
