// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.spec.DType;
import java.util.Random;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** cuBLAS is found, is one that JCuda can talk to, and multiplies: y = x w^T against sums in float64. */
class GemmTest {
    /** Rows, in, out; strides are multiples of 8, as everywhere in the backend. */
    private static final int[][] SIZES = {{1, 8, 8}, {7, 384, 48}, {33, 256, 128}, {129, 264, 72}, {40, 1536, 384}};

    @RegisterExtension
    static final KernelBench bench = new KernelBench();

    private final Random random = new Random(17);

    private double[] gaussians(int size) {
        return random.doubles(size).map(ignored -> random.nextGaussian()).toArray();
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void multiplies(DType type) {
        for (int[] size : SIZES) {
            int rows = size[0];
            int in = size[1];
            int out = size[2];
            DeviceArray x = bench.array(type, gaussians(rows * in));
            DeviceArray w = bench.array(type, gaussians(out * in));
            DeviceArray y = bench.unwritten(type, rows * out);

            bench.multiply(x, w, y, rows, in, out);

            double[] expected = new double[rows * out];
            for (int row = 0; row < rows; row++) {
                for (int column = 0; column < out; column++) {
                    double sum = 0;
                    for (int k = 0; k < in; k++) {
                        sum += x.values()[row * in + k] * w.values()[column * in + k];
                    }
                    expected[row * out + column] = sum;
                }
            }
            KernelTolerance.PRODUCT.check(rows + " x " + in + " x " + out, type, bench.read(y), expected);
        }
    }
}
