// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.Activation;
import io.embed4j.spec.DType;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** feed_forward_activation: every activation, plain and gated, with and without a bias. */
class ActivationKernelTest {
    private static final int[] WIDTHS = {8, 136, 1536, 4104};
    /** Kernels know an activation by its place. */
    private static final List<Activation> NUMBERS = List.of(Activation.values());

    private static final int ROWS = 5;
    private static final int GARBAGE_ROWS = 2;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(7);

    @ParameterizedTest
    @EnumSource(Activation.class)
    void agreesWithTheTwin(Activation activation) {
        for (DType type : new DType[] {DType.FP32, DType.FP16, DType.BF16}) {
            for (int width : WIDTHS) {
                check(activation, type, width, false, true);
                check(activation, type, width, true, width == 136);
            }
        }
    }

    private void check(Activation activation, DType type, int width, boolean gated, boolean biased) {
        int columns = gated ? 2 * width : width;
        int stride = columns + 8;
        double[] values = KernelBench.padded(random, ROWS + GARBAGE_ROWS, stride, stride);
        for (int i = 0; i < values.length; i++) {
            values[i] *= 3;
        }
        values[0] = -12; // where exp overflows and erf is 1
        values[1] = 12;
        values[2] = -100;
        DeviceArray x = bench.array(type, values);
        DeviceArray bias = biased ? bench.array(DType.FP32, KernelBench.padded(random, 1, columns, columns)) : null;

        bench.launch(
                "feed_forward_activation_" + type.name().toLowerCase(Locale.ROOT),
                Grid.of(((ROWS + GARBAGE_ROWS) * width / 8 + 255) / 256, 256),
                x,
                bench.ints(ROWS),
                bias,
                NUMBERS.indexOf(activation),
                gated,
                width,
                stride);

        double[] expected = x.values().clone();
        double largest = 1;
        for (int row = 0; row < ROWS; row++) {
            for (int i = 0; i < width; i++) {
                int at = row * stride + i;
                double active = Twins.activate(activation, x.values()[at] + (bias == null ? 0 : bias.values()[i]));
                double up = gated ? x.values()[at + width] + (bias == null ? 0 : bias.values()[width + i]) : 1;
                expected[at] = active * up;
                largest = Math.max(largest, Math.abs(up));
            }
        }
        // A gate's fp32 error is multiplied by what it lets through.
        double extra = (largest - 1) * 1e-6;
        KernelTolerance.ACTIVATION.check(
                activation + (gated ? " gated" : "") + " width " + width, type, bench.read(x), expected, extra);
    }
}
