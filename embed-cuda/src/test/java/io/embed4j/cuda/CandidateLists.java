// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.cuda.KernelBench.DeviceArray;
import io.embed4j.spec.DType;
import java.util.Arrays;
import java.util.TreeMap;

/**
 * Lists of candidates on the device, as the kernels of top-k write them: a key is two ints, the lower first, which is the
 * complement of the row; the higher is the score, in bits that order as unsigned numbers do.
 *
 * @param bench where they are
 * @param capacity of each list
 * @param keys int32 [queries, capacity, 2]
 * @param counts int32 [queries]: how many were found, also where a list has not room for all
 * @param limits fp32 [queries]: lower scores are not appended
 */
record CandidateLists(KernelBench bench, int capacity, DeviceArray keys, DeviceArray counts, DeviceArray limits) {
    private static final int ORDERED_ZERO = 0x80000000;

    /** Empty lists; the limits are repeated where there are fewer than queries. */
    static CandidateLists of(KernelBench bench, int queries, int capacity, float... limits) {
        double[] all = new double[queries];
        Arrays.setAll(all, q -> limits[q % limits.length]);
        return new CandidateLists(
                bench,
                capacity,
                bench.unwritten(DType.INT32, 2 * queries * capacity),
                bench.ints(new int[queries]),
                bench.array(DType.FP32, all));
    }

    static int orderedBits(float score) {
        int bits = Float.floatToRawIntBits(score);
        return bits < 0 ? ~bits : bits | ORDERED_ZERO;
    }

    private static float score(int orderedBits) {
        return Float.intBitsToFloat(orderedBits < 0 ? orderedBits & ~ORDERED_ZERO : ~orderedBits);
    }

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
