// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.spec.DType;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels that move or convert numbers: gather_rows, tokens_to_fp32, normalize_rows, convert_pad. */
class MovingKernelsTest {
    private static final int[] WIDTHS = {1, 31, 33, 127, 1024, 4098};
    private static final int ROWS = 6;
    private static final int GARBAGE_ROWS = 3;

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(13);

    private static String name(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    private static Grid warpPerRow() {
        return Grid.of((ROWS + GARBAGE_ROWS + 3) / 4, 128);
    }

    private static double[] unwritten(int length) {
        double[] values = new double[length];
        Arrays.fill(values, Twins.UNWRITTEN);
        return values;
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void gatherRows(DType type) {
        for (int width : WIDTHS) {
            int stride = KernelBench.stride(width);
            DeviceArray in = bench.array(type, KernelBench.padded(random, 20, width, stride));
            int[] index = random.ints(ROWS + GARBAGE_ROWS, 0, 20).toArray();
            DeviceArray out = bench.unwritten(type, (ROWS + GARBAGE_ROWS) * stride);

            bench.launch(
                    "gather_rows_" + name(type), warpPerRow(), out, bench.ints(ROWS), in, bench.ints(index), stride);

            double[] expected = unwritten(out.values().length);
            for (int row = 0; row < ROWS; row++) {
                System.arraycopy(in.values(), index[row] * stride, expected, row * stride, stride);
            }
            KernelTolerance.COPY.check("gather, width " + width, type, bench.read(out), expected);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void tokensToFp32(DType type) {
        for (int width : WIDTHS) {
            int stride = KernelBench.stride(width);
            DeviceArray in = bench.array(type, KernelBench.padded(random, ROWS + GARBAGE_ROWS, width, stride));
            DeviceArray out = bench.unwritten(DType.FP32, (ROWS + GARBAGE_ROWS) * width);

            bench.launch("tokens_to_fp32_" + name(type), warpPerRow(), out, bench.ints(ROWS), in, width, stride);

            double[] expected = unwritten(out.values().length);
            for (int row = 0; row < ROWS; row++) {
                System.arraycopy(in.values(), row * stride, expected, row * width, width);
            }
            KernelTolerance.COPY.check("to fp32, width " + width, DType.FP32, bench.read(out), expected);
        }
    }

    @Test
    void normalizeRows() {
        for (int dimension : WIDTHS) {
            int stride = dimension + 3;
            double[] values = KernelBench.padded(random, ROWS + GARBAGE_ROWS, stride, stride);
            Arrays.fill(values, 0, stride, 0); // a zero vector stays zero
            DeviceArray in = bench.array(DType.FP32, values);
            for (boolean normalize : new boolean[] {false, true}) {
                DeviceArray out = bench.unwritten(DType.FP32, (ROWS + GARBAGE_ROWS) * dimension);

                bench.launch("normalize_rows", warpPerRow(), out, bench.ints(ROWS), in, stride, dimension, normalize);

                double[] expected = unwritten(out.values().length);
                for (int row = 0; row < ROWS; row++) {
                    int at = row * stride;
                    double norm = Math.sqrt(Arrays.stream(in.values(), at, at + dimension)
                            .map(x -> x * x)
                            .sum());
                    for (int i = 0; i < dimension; i++) {
                        double divisor = normalize ? Math.max(norm, 1e-12) : 1;
                        expected[row * dimension + i] = in.values()[at + i] / divisor;
                    }
                }
                KernelTolerance.POOLING.check(
                        "normalize " + normalize + ", " + dimension, DType.FP32, bench.read(out), expected);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void convertPad(DType from) {
        for (DType to : new DType[] {DType.FP32, DType.FP16, DType.BF16}) {
            convertPad(from, to, 33, 31, 33, 33, 31, 31, false);
            convertPad(from, to, 12, 70, 3, 8, 70, 72, false); // heads of 3 rows
            convertPad(from, to, 70, 20, 70, 70, 5, 8, true); // heads of 5 columns, stored by columns
            convertPad(from, to, 1, 1, 1, 8, 1, 8, false);
        }
    }

    private void convertPad(
            DType from,
            DType to,
            int rows,
            int columns,
            int rowGroup,
            int rowGroupPadded,
            int columnGroup,
            int columnGroupPadded,
            boolean transposed) {
        int outStride = KernelBench.stride(columns / columnGroup * columnGroupPadded);
        int outRows = rows / rowGroup * rowGroupPadded;
        DeviceArray in = bench.array(from, KernelBench.padded(random, rows, columns, columns));
        DeviceArray out = bench.array(to, new double[outRows * outStride]);

        bench.launch(
                "convert_pad_" + name(from) + "_" + name(to),
                new Grid((columns + 31) / 32, (rows + 7) / 8, 32, 8, 0),
                out,
                in,
                rows,
                columns,
                transposed,
                rowGroup,
                rowGroupPadded,
                columnGroup,
                columnGroupPadded,
                outStride);

        double[] expected = new double[outRows * outStride];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                int outRow = row / rowGroup * rowGroupPadded + row % rowGroup;
                int outColumn = column / columnGroup * columnGroupPadded + column % columnGroup;
                expected[outRow * outStride + outColumn] =
                        in.values()[transposed ? column * rows + row : row * columns + column];
            }
        }
        KernelTolerance.COPY.check(
                from + " to " + to + " [" + rows + ", " + columns + "]", to, bench.read(out), expected);
    }
}
