// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.DType;
import io.embed4j.spec.PoolingMode;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** pool_rows against the formulas of sentence-transformers' Pooling and Normalize. */
class PoolingKernelTest {
    private static final int[] WIDTHS = {1, 31, 33, 127, 384, 1024, 1030};
    private static final int[] CU_SEQ_LENS = {0, 1, 34, 36, 300, 307};
    private static final int[] POOL_STARTS = {0, 5, 1, 0, 6};
    private static final int GARBAGE_ROWS = 1;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(9);

    @ParameterizedTest
    @EnumSource(PoolingMode.class)
    void agreesWithTheTwin(PoolingMode mode) {
        for (DType type : new DType[] {DType.FP32, DType.FP16, DType.BF16}) {
            for (int width : WIDTHS) {
                check(Kernels.code(mode), type, width, width, false, 128);
                check(Kernels.code(mode), type, width, Math.max(1, width / 2), true, 256);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void takesGatheredRowsAsTheyAre(DType type) {
        check(Kernels.POOLED_ALREADY, type, 127, 127, true, 128);
    }

    private void check(int mode, DType type, int width, int dimension, boolean normalize, int threads) {
        int rows = CU_SEQ_LENS.length - 1;
        int stride = KernelBench.stride(width);
        int outOffset = 3;
        int outStride = dimension + 5;
        DeviceArray hidden = bench.array(type, KernelBench.padded(random, CU_SEQ_LENS[rows], width, stride));
        DeviceArray out = bench.unwritten(DType.FP32, (rows + GARBAGE_ROWS) * outStride);

        bench.launch(
                "pool_rows_" + type.name().toLowerCase(Locale.ROOT),
                Grid.of(rows + GARBAGE_ROWS, threads),
                out,
                bench.ints(CU_SEQ_LENS[rows], rows, 0, 0),
                hidden,
                bench.ints(CU_SEQ_LENS),
                bench.ints(POOL_STARTS),
                mode,
                width,
                stride,
                outStride,
                outOffset,
                dimension,
                normalize);

        double[] expected = new double[out.values().length];
        Arrays.fill(expected, Twins.UNWRITTEN);
        for (int row = 0; row < rows; row++) {
            double[] pooled = pool(mode, hidden.values(), row, dimension, stride);
            double norm = Math.sqrt(Arrays.stream(pooled).map(x -> x * x).sum());
            for (int i = 0; i < dimension; i++) {
                expected[row * outStride + outOffset + i] = normalize ? pooled[i] / norm : pooled[i];
            }
        }
        KernelTolerance.POOLING.check(
                "mode " + mode + " width " + width + (normalize ? " normalized" : ""),
                DType.FP32,
                bench.read(out),
                expected);
    }

    private static double[] pool(int mode, double[] hidden, int row, int dimension, int stride) {
        int start = CU_SEQ_LENS[row];
        int from = start + POOL_STARTS[row];
        int end = CU_SEQ_LENS[row + 1];
        double[] result = new double[dimension];
        for (int i = 0; i < dimension; i++) {
            double sum = 0;
            double maximum = Double.NEGATIVE_INFINITY;
            double weighted = 0;
            double weights = 0;
            for (int token = from; token < end; token++) {
                double x = hidden[token * stride + i];
                sum += x;
                maximum = Math.max(maximum, x);
                weighted += (token - start + 1) * x;
                weights += token - start + 1;
            }
            result[i] = switch (mode) {
                case 0 -> hidden[from * stride + i];
                case 1 -> sum / (end - from);
                case 2 -> maximum;
                case 3 -> sum / Math.sqrt(end - from);
                case 4 -> weighted / weights;
                case 5 -> hidden[(end - 1) * stride + i];
                default -> hidden[row * stride + i];
            };
        }
        return result;
    }
}
