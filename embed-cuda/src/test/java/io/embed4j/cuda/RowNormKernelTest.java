// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.DType;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** embedding_gather_norm and residual_norm: widths around the chunk, the warp and the registers; all parts optional. */
class RowNormKernelTest {
    private static final int[] WIDTHS = {1, 31, 33, 127, 384, 1024, 1030, 4098};
    private static final float EPSILON = 1e-5f;
    private static final int ROWS = 7;
    private static final int GARBAGE_ROWS = 2;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(3);

    /** A norm and its twin's numbers. */
    private record Norm(
            @Nullable DeviceArray gain, @Nullable DeviceArray bias, boolean rms) {
        /** [rows, stride] of x likewise; x itself without a gain. */
        double[] apply(double[] x, int width, int stride) {
            double[] result = x.clone();
            for (int row = 0; gain != null && row * stride < x.length; row++) {
                double[] normed = Twins.norm(
                        x, row * stride, width, gain.values(), bias == null ? null : bias.values(), EPSILON, rms);
                System.arraycopy(normed, 0, result, row * stride, width);
            }
            return result;
        }
    }

    /** An fp32 vector with garbage in its padding, which kernels may read but must not use. */
    private DeviceArray vector(int width) {
        double[] values = new double[KernelBench.stride(width)];
        Arrays.setAll(values, i -> i < width ? random.nextGaussian() : Double.NaN);
        return bench.array(DType.FP32, values);
    }

    private static String suffix(DType type) {
        return "_" + type.name().toLowerCase(Locale.ROOT);
    }

    private static Grid warpPerRow() {
        return Grid.of((ROWS + GARBAGE_ROWS + 3) / 4, 128);
    }

    /** What the twin has for the rows that count, and UNWRITTEN for the others. */
    private static double[] withoutGarbage(double[] rows, int length) {
        double[] all = Arrays.copyOf(rows, length);
        Arrays.fill(all, rows.length, length, Twins.UNWRITTEN);
        return all;
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void residualNorm(DType type) {
        for (int width : WIDTHS) {
            residualNorm(type, width, true, true, new Norm(vector(width), vector(width), false));
            residualNorm(type, width, false, true, new Norm(vector(width), null, true));
            residualNorm(type, width, true, false, new Norm(vector(width), null, false));
            residualNorm(type, width, true, true, new Norm(null, null, false));
        }
    }

    private void residualNorm(DType type, int width, boolean biased, boolean added, Norm norm) {
        int stride = KernelBench.stride(width);
        int length = (ROWS + GARBAGE_ROWS) * stride;
        DeviceArray x = bench.array(type, KernelBench.padded(random, ROWS + GARBAGE_ROWS, width, stride));
        DeviceArray bias = biased ? vector(width) : null;
        DeviceArray residual =
                added ? bench.array(type, KernelBench.padded(random, ROWS + GARBAGE_ROWS, width, stride)) : null;
        DeviceArray sum = bench.unwritten(type, length);
        DeviceArray normed = bench.unwritten(type, length);

        bench.launch(
                "residual_norm" + suffix(type),
                warpPerRow(),
                sum,
                normed,
                bench.ints(ROWS),
                x,
                bias,
                residual,
                norm.gain(),
                norm.bias(),
                EPSILON,
                norm.rms(),
                width,
                stride);

        double[] sums = new double[ROWS * stride];
        for (int i = 0; i < sums.length; i++) {
            boolean padding = i % stride >= width;
            sums[i] = padding
                    ? 0
                    : x.values()[i]
                            + (bias == null ? 0 : bias.values()[i % stride])
                            + (residual == null ? 0 : residual.values()[i]);
        }
        String what = "width " + width + (norm.rms() ? " rms" : " layer");
        KernelTolerance.NORM.check("sum, " + what, type, bench.read(sum), withoutGarbage(sums, length));
        KernelTolerance.NORM.check(
                "norm, " + what, type, bench.read(normed), withoutGarbage(norm.apply(sums, width, stride), length));
    }

    @Test
    void resultsMayOverwriteInputs() {
        for (int width : new int[] {127, 4098}) {
            int stride = KernelBench.stride(width);
            Norm norm = new Norm(vector(width), vector(width), false);
            DeviceArray x = bench.array(DType.FP16, KernelBench.padded(random, ROWS, width, stride));
            DeviceArray residual = bench.array(DType.FP16, KernelBench.padded(random, ROWS, width, stride));

            bench.launch(
                    "residual_norm_fp16",
                    warpPerRow(),
                    residual,
                    x,
                    bench.ints(ROWS),
                    x,
                    null,
                    residual,
                    norm.gain(),
                    norm.bias(),
                    EPSILON,
                    false,
                    width,
                    stride);

            double[] sums = x.values().clone();
            Arrays.setAll(sums, i -> x.values()[i] + residual.values()[i]);
            KernelTolerance.NORM.check("sum in place", DType.FP16, bench.read(residual), sums);
            KernelTolerance.NORM.check("norm in place", DType.FP16, bench.read(x), norm.apply(sums, width, stride));
        }
    }

    /** Pairs of floats: nothing but the result is rounded, whatever the mean and the spread of a row. */
    @Test
    void rowsStoredAsFp32AreRoundedOnce() {
        for (int width : new int[] {36, 384, 1030}) {
            for (double mean : new double[] {0, 1000}) {
                for (double spread : new double[] {1e-4, 1}) {
                    rowsStoredAsFp32AreRoundedOnce(width, mean, spread, new Norm(vector(width), vector(width), false));
                    rowsStoredAsFp32AreRoundedOnce(width, mean, spread, new Norm(vector(width), null, true));
                }
            }
        }
    }

    private void rowsStoredAsFp32AreRoundedOnce(int width, double mean, double spread, Norm norm) {
        int stride = KernelBench.stride(width);
        double[] values = KernelBench.padded(random, ROWS, width, stride);
        Arrays.setAll(values, i -> i % stride < width ? mean + spread * values[i] : 0);
        DeviceArray x = bench.array(DType.FP32, values);
        DeviceArray normed = bench.unwritten(DType.FP32, values.length);

        bench.launch(
                "residual_norm_fp32",
                Grid.of((ROWS + 3) / 4, 128),
                null,
                normed,
                bench.ints(ROWS),
                x,
                null,
                null,
                norm.gain(),
                norm.bias(),
                EPSILON,
                norm.rms(),
                width,
                stride);

        // A pair has 48 bits: so much of the mean is left beside the spread.
        double roundingOfMean = mean * 0x1p-47 / Math.hypot(spread, Math.sqrt(EPSILON));
        KernelTolerance.NORM_IN_PAIRS.check(
                "width " + width + ", mean " + mean + ", spread " + spread + (norm.rms() ? ", rms" : ", layer"),
                DType.FP32,
                bench.read(normed),
                norm.apply(x.values(), width, stride),
                roundingOfMean);
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void embeddingGatherNorm(DType type) {
        for (int width : WIDTHS) {
            embeddingGatherNorm(type, width, true, true, 1, new Norm(vector(width), vector(width), false));
            embeddingGatherNorm(type, width, false, false, 27.7f, new Norm(null, null, false));
            embeddingGatherNorm(type, width, true, false, 1, new Norm(vector(width), null, true));
        }
    }

    private void embeddingGatherNorm(DType type, int width, boolean positioned, boolean typed, float scale, Norm norm) {
        int stride = KernelBench.stride(width);
        int length = (ROWS + GARBAGE_ROWS) * stride;
        int entries = 11;
        DeviceArray tokens = bench.array(type, KernelBench.padded(random, entries, width, stride));
        DeviceArray places = positioned ? bench.array(type, KernelBench.padded(random, entries, width, stride)) : null;
        DeviceArray types = typed ? bench.array(type, KernelBench.padded(random, 2, width, stride)) : null;
        int[] tokenIds = ids(entries);
        int[] positions = ids(entries);
        int[] typeIds = ids(2);
        DeviceArray out = bench.unwritten(type, length);

        bench.launch(
                "embedding_gather_norm" + suffix(type),
                warpPerRow(),
                out,
                bench.ints(ROWS),
                bench.ints(tokenIds),
                bench.ints(typeIds),
                bench.ints(positions),
                tokens,
                places,
                types,
                scale,
                norm.gain(),
                norm.bias(),
                EPSILON,
                norm.rms(),
                width,
                stride);

        double[] sums = new double[ROWS * stride];
        for (int i = 0; i < sums.length; i++) {
            int row = i / stride;
            int column = i % stride;
            sums[i] = scale * tokens.values()[tokenIds[row] * stride + column]
                    + (places == null ? 0 : places.values()[positions[row] * stride + column])
                    + (types == null ? 0 : types.values()[typeIds[row] * stride + column]);
        }
        KernelTolerance.NORM.check(
                "embedding, width " + width,
                type,
                bench.read(out),
                withoutGarbage(norm.apply(sums, width, stride), length));
    }

    /** For rows beyond the count numbers that would lead out of any table. */
    private int[] ids(int bound) {
        int[] ids = random.ints(ROWS + GARBAGE_ROWS, 0, bound).toArray();
        Arrays.fill(ids, ROWS, ids.length, 1 << 29);
        return ids;
    }
}
