// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.DType;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** query_key_bias_rotary against bias, norm and rotation written out; values stay as they are. */
class QueryKeyKernelTest {
    private static final int TOKENS = 5;
    private static final int GARBAGE_TOKENS = 2;
    private static final int POSITIONS = 9;
    private static final float EPSILON = 1e-6f;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(5);

    record Case(
            int heads,
            int keyValueHeads,
            int headSize,
            int rotaryDimension,
            boolean neighbours,
            boolean biased,
            boolean normed) {}

    static Stream<Case> cases() {
        return Stream.of(
                new Case(3, 3, 64, 0, false, true, false),
                new Case(4, 2, 64, 64, false, false, false),
                new Case(2, 2, 64, 64, true, true, false),
                new Case(3, 1, 128, 128, false, true, true),
                new Case(2, 1, 256, 256, false, false, true),
                new Case(2, 2, 80, 32, false, true, false),
                new Case(2, 2, 80, 32, true, true, true),
                new Case(2, 2, 80, 20, false, true, true),
                new Case(12, 12, 32, 0, false, true, false),
                new Case(2, 1, 96, 48, false, true, true),
                new Case(7, 1, 8, 8, false, true, true),
                new Case(2, 1, 31, 30, false, true, true),
                new Case(5, 5, 1, 0, false, true, true),
                new Case(2, 1, 250, 2, false, false, true));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTheTwin(Case c) {
        for (DType type : new DType[] {DType.FP32, DType.FP16, DType.BF16}) {
            check(c, type);
        }
    }

    private void check(Case c, DType type) {
        int stride = KernelBench.stride(c.headSize());
        int allHeads = c.heads() + 2 * c.keyValueHeads();
        int preparedHeads = c.heads() + c.keyValueHeads();
        int half = c.rotaryDimension() / 2;
        DeviceArray qkv = bench.array(
                type, KernelBench.padded(random, (TOKENS + GARBAGE_TOKENS) * allHeads, c.headSize(), stride));
        DeviceArray bias = c.biased()
                ? bench.array(DType.FP32, KernelBench.padded(random, preparedHeads, c.headSize(), stride))
                : null;
        double[] angles =
                random.doubles((long) POSITIONS * half, 0, 2 * Math.PI).toArray();
        DeviceArray cosines = half == 0
                ? null
                : bench.array(DType.FP32, Arrays.stream(angles).map(Math::cos).toArray());
        DeviceArray sines = half == 0
                ? null
                : bench.array(DType.FP32, Arrays.stream(angles).map(Math::sin).toArray());
        DeviceArray queryGain = c.normed() ? bench.array(DType.FP32, gaussians(c.headSize())) : null;
        DeviceArray keyGain = c.normed() ? bench.array(DType.FP32, gaussians(c.headSize())) : null;
        int[] positions = random.ints(TOKENS + GARBAGE_TOKENS, 0, POSITIONS).toArray();

        bench.launch(
                "query_key_bias_rotary_" + type.name().toLowerCase(Locale.ROOT),
                Grid.of(((TOKENS + GARBAGE_TOKENS) * preparedHeads * Kernels.lanesPerHead(stride) + 127) / 128, 128),
                qkv,
                bench.ints(TOKENS),
                bias,
                bench.ints(positions),
                cosines,
                sines,
                c.rotaryDimension(),
                c.neighbours(),
                queryGain,
                keyGain,
                EPSILON,
                c.heads(),
                c.keyValueHeads(),
                c.headSize(),
                stride);

        double[] expected = qkv.values().clone();
        for (int token = 0; token < TOKENS; token++) {
            for (int head = 0; head < preparedHeads; head++) {
                int at = (token * allHeads + head) * stride;
                for (int i = 0; i < c.headSize() && bias != null; i++) {
                    expected[at + i] += bias.values()[head * stride + i];
                }
                DeviceArray gain = head < c.heads() ? queryGain : keyGain;
                if (gain != null) {
                    double[] normed = Twins.norm(expected, at, c.headSize(), gain.values(), null, EPSILON, true);
                    System.arraycopy(normed, 0, expected, at, c.headSize());
                }
                rotate(expected, at, c, cosines, sines, positions[token] * half);
            }
        }
        // Rotation mixes two numbers, so the smaller result carries the larger one's fp32 error.
        KernelTolerance.ROTARY.check(c.toString(), type, bench.read(qkv), expected);
    }

    private double[] gaussians(int count) {
        return random.doubles(count, 0.5, 1.5).toArray();
    }

    private static void rotate(
            double[] values, int at, Case c, @Nullable DeviceArray cosines, @Nullable DeviceArray sines, int angle) {
        for (int i = 0; i < c.rotaryDimension() / 2 && cosines != null && sines != null; i++) {
            int first = at + (c.neighbours() ? 2 * i : i);
            int second = at + (c.neighbours() ? 2 * i + 1 : i + c.rotaryDimension() / 2);
            double x = values[first];
            double y = values[second];
            values[first] = x * cosines.values()[angle + i] - y * sines.values()[angle + i];
            values[second] = y * cosines.values()[angle + i] + x * sines.values()[angle + i];
        }
    }
}
