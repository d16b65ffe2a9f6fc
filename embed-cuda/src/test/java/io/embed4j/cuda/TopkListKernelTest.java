// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.core.index.ExactRescorer;
import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.DType;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The kernels of exact top-k that work on lists of candidates, each alone. */
class TopkListKernelTest {
    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(29);

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
            words[2 * i + 1] = CandidateLists.orderedBits(scores[i]);
        }
        DeviceArray keys = bench.array(DType.INT32, words);
        DeviceArray counts = bench.ints(count);
        float before = -1e30f;
        CandidateLists lists = new CandidateLists(bench, capacity, keys, counts, bench.array(DType.FP32, before));
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
