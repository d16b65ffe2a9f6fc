// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.Twins.Attention;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Both attention kernels against the textbook, over what breaks tiles: short beside long rows, odd heads, all rules. */
class AttentionKernelTest {
    private static final int FIRST_WITH_TENSOR_KERNEL = 80;
    private static final int GARBAGE_TOKENS = 3;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    /** What is attended: names in test reports come from toString. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Case(
            String name, int[] lengths, int heads, int keyValueHeads, int headSize, Rules rules, boolean queryBias) {
        Case(String name, int[] lengths, int heads, int keyValueHeads, int headSize, Rules rules) {
            this(name, lengths, heads, keyValueHeads, headSize, rules, false);
        }

        /** Whether queries come without a bias that they should have. */
        Case withQueryBias() {
            return new Case(name + ", query bias", lengths, heads, keyValueHeads, headSize, rules, true);
        }

        @Override
        public String toString() {
            return name + " d=" + headSize + " " + Arrays.toString(lengths);
        }
    }

    /** Rules of scores; see {@link Attention}. */
    record Rules(boolean causal, int window, boolean bias, int biasReach, boolean alibi, double softcap) {
        static final Rules NONE = new Rules(false, -1, false, 0, false, 0);
    }

    static Stream<Case> cases() {
        return Stream.of(
                new Case("rows of all sizes", new int[] {5, 16, 17, 1, 64, 33, 65}, 2, 2, 32, Rules.NONE),
                new Case("a short row beside a long one", new int[] {1, 512, 2}, 1, 1, 64, Rules.NONE),
                new Case("smallest head", new int[] {5, 33}, 2, 2, 1, Rules.NONE),
                new Case("head of 31", new int[] {40, 7}, 2, 2, 31, Rules.NONE),
                new Case("head of 40", new int[] {70, 3}, 2, 2, 40, Rules.NONE),
                new Case("head of 96, one key head", new int[] {129, 65}, 2, 1, 96, Rules.NONE),
                new Case("grouped queries", new int[] {100, 64, 1}, 4, 2, 128, Rules.NONE),
                new Case("head of 250", new int[] {66, 31}, 1, 1, 250, Rules.NONE),
                new Case("causal", new int[] {200, 63, 64, 65, 1}, 2, 1, 64, new Rules(true, -1, false, 0, false, 0)),
                new Case("causal, head of 256", new int[] {130, 5}, 2, 1, 256, new Rules(true, -1, false, 0, false, 0)),
                new Case("window", new int[] {300, 20}, 1, 1, 64, new Rules(false, 10, false, 0, false, 0)),
                new Case("only itself", new int[] {100, 3}, 1, 1, 32, new Rules(false, 0, false, 0, false, 0)),
                new Case("causal window", new int[] {257, 9}, 2, 1, 80, new Rules(true, 31, false, 0, false, 0)),
                new Case(
                        "window beyond every row",
                        new int[] {70},
                        1,
                        1,
                        32,
                        new Rules(false, 1 << 30, false, 0, false, 0)),
                new Case("bias by distance", new int[] {140, 7}, 3, 3, 48, new Rules(false, -1, true, 139, false, 0)),
                new Case("bias that saturates", new int[] {140, 7}, 3, 3, 64, new Rules(false, -1, true, 20, false, 0)),
                new Case("slopes", new int[] {140, 7}, 2, 2, 64, new Rules(false, -1, false, 0, true, 0)),
                new Case("softcap", new int[] {90, 7}, 2, 2, 64, new Rules(false, -1, false, 0, false, 20)),
                new Case("all rules", new int[] {150, 33, 1}, 4, 2, 72, new Rules(true, 40, true, 30, true, 20)),
                new Case("rows of all sizes", new int[] {5, 16, 17, 1, 33, 65}, 3, 3, 32, Rules.NONE).withQueryBias(),
                new Case("head of 31", new int[] {40, 7}, 2, 2, 31, Rules.NONE).withQueryBias(),
                new Case("grouped queries", new int[] {70, 1}, 4, 2, 64, Rules.NONE).withQueryBias(),
                new Case("head of 250", new int[] {35, 3}, 2, 1, 250, Rules.NONE).withQueryBias(),
                new Case("bias by distance", new int[] {70, 7}, 2, 2, 48, new Rules(false, -1, true, 20, false, 0))
                        .withQueryBias(),
                new Case("all rules", new int[] {70, 33, 1}, 4, 2, 72, new Rules(true, 40, true, 30, true, 20))
                        .withQueryBias());
    }

    /** The longest rows there are, beside the shortest: minutes on the emulated device. */
    static Stream<Case> longCases() {
        return Stream.of(
                new Case("8192 tokens", new int[] {8192, 1}, 1, 1, 8, Rules.NONE),
                new Case(
                        "8192 tokens, window", new int[] {3, 8192}, 2, 1, 64, new Rules(false, 64, false, 0, false, 0)),
                new Case("4099 tokens, causal", new int[] {4099}, 1, 1, 8, new Rules(true, -1, false, 0, false, 0)));
    }

    @Tag("full")
    @ParameterizedTest
    @MethodSource("longCases")
    void longRowsAreTheTextbooksToo(Case c) {
        onlineSoftmaxIsTheTextbooks(c);
        tensorCoresAgree(c);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void onlineSoftmaxIsTheTextbooks(Case c) {
        for (DType type : List.of(DType.FP32, DType.FP16, DType.BF16)) {
            int sharedBytes = 128 * KernelBench.stride(c.headSize()) + 12_800;
            // Queries pass through shared memory in fp32.
            String kernel = "attention_packed_online_softmax_" + name(type);
            check(c, type, kernel, 32, 128, sharedBytes, DType.FP32, 0);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void tensorCoresAgree(Case c) {
        assumeTrue(
                bench.computeCapability() >= FIRST_WITH_TENSOR_KERNEL,
                "There is no tensor core kernel before compute capability 8.0.");
        int size = List.of(32, 64, 128, 256).stream()
                .filter(d -> d >= c.headSize())
                .findFirst()
                .orElseThrow();
        int longest = Arrays.stream(c.lengths()).max().orElseThrow();
        int tile = size == 256 ? 32 : 64;
        int keys = Math.min(tile, (longest + 15) / 16 * 16);
        int leastBytes = (longest > tile ? 2 : 1) * 2 * keys * size * 2;
        for (DType type : List.of(DType.FP16, DType.BF16)) {
            String name = "attention_packed_mma_" + name(type) + "_d" + size;
            // The weights are rounded too, which moves the mean of values of about 1 by a rounding error of theirs.
            double extra = StorageFormat.roundingError(type);
            check(c, type, name, 64, 128, 512 * Math.min(size, 128), type, extra);
            check(c, type, name, 16, 32, leastBytes, type, extra);
        }
    }

    private static String name(DType type) {
        return type.name().toLowerCase(java.util.Locale.ROOT);
    }

    private static void check(
            Case c,
            DType type,
            String kernel,
            int queriesPerBlock,
            int threads,
            int sharedBytes,
            DType queryType,
            double extra) {
        Random random = new Random(11);
        Rules rules = c.rules();
        int stride = KernelBench.stride(c.headSize());
        int rows = c.lengths().length;
        int[] cuSeqLens = new int[rows + 1];
        List<Integer> work = new ArrayList<>();
        for (int row = 0; row < rows; row++) {
            cuSeqLens[row + 1] = cuSeqLens[row] + c.lengths()[row];
            for (int query = 0; query < c.lengths()[row]; query += queriesPerBlock) {
                work.addAll(List.of(row, query));
            }
        }
        int items = work.size() / 2;
        work.addAll(List.of(Integer.MAX_VALUE, Integer.MAX_VALUE)); // beyond the count: nobody may look
        int tokens = cuSeqLens[rows];
        int longest = Arrays.stream(c.lengths()).max().orElseThrow();

        int allHeads = c.heads() + 2 * c.keyValueHeads();
        double[] values = KernelBench.padded(random, (tokens + GARBAGE_TOKENS) * allHeads, c.headSize(), stride);
        Arrays.fill(values, tokens * allHeads * stride, values.length, Double.NaN);
        DeviceArray qkv = bench.array(type, values);
        DeviceArray queryBias = c.queryBias()
                ? bench.array(DType.FP32, KernelBench.padded(random, c.heads(), c.headSize(), stride))
                : null;
        DeviceArray out = bench.unwritten(type, (tokens + GARBAGE_TOKENS) * c.heads() * stride);
        DeviceArray bias = rules.bias()
                ? bench.array(
                        DType.FP32,
                        random.doubles((long) c.heads() * (2 * rules.biasReach() + 1), -2, 2)
                                .toArray())
                : null;
        DeviceArray slopes = rules.alibi()
                ? bench.array(DType.FP32, random.doubles(c.heads(), 0, 0.5).toArray())
                : null;
        float scale = (float) (1 / Math.sqrt(c.headSize()));

        bench.launch(
                kernel,
                new Grid(items + 1, c.heads(), threads, 1, sharedBytes),
                out,
                qkv,
                queryBias,
                bench.ints(tokens, rows, items, longest),
                bench.ints(cuSeqLens),
                bench.ints(work.stream().mapToInt(Integer::intValue).toArray()),
                bias,
                rules.biasReach(),
                slopes,
                scale,
                (float) rules.softcap(),
                rules.causal(),
                rules.window(),
                c.heads(),
                c.keyValueHeads(),
                stride);

        Attention twin = new Attention(
                c.heads(),
                c.keyValueHeads(),
                c.headSize(),
                stride,
                scale,
                rules.softcap(),
                rules.causal(),
                rules.window(),
                bias == null ? null : bias.values(),
                rules.biasReach(),
                slopes == null ? null : slopes.values());
        double[] expected = new double[out.values().length];
        Arrays.fill(expected, Twins.UNWRITTEN);
        double[] biased = qkv.values().clone();
        for (int token = 0; token < tokens && queryBias != null; token++) {
            for (int i = 0; i < queryBias.values().length; i++) {
                int at = token * allHeads * stride + i;
                biased[at] = StorageFormat.rounded(
                        queryType, (float) (biased[at] + queryBias.values()[i]));
            }
        }
        double[] attended = twin.apply(biased, cuSeqLens);
        System.arraycopy(attended, 0, expected, 0, attended.length);
        KernelTolerance.ATTENTION.check(kernel + " " + c, type, bench.read(out), expected, extra);
    }
}
