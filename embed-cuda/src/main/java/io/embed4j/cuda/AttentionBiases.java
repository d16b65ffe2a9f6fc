// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.core.math.WeightReader;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.util.List;

/**
 * Where the biases of queries, keys and values go, so that no pass over a batch is needed to add them.
 *
 * <ul>
 *   <li>A value's: the weights of a softmax sum to 1, so attention over v + b_v is attention over v, plus b_v. Behind it
 *       comes the output product alone, hence b_o + W_o b_v is added there instead of b_o. That holds for every layer.
 *   <li>A key's: (q + b_q) (k + b_k) is (q + b_q) k plus a number that is the same for all keys of a query. What depends
 *       on distances is added to that, and masks take keys away, so a softmax does not see it, and the bias is dropped.
 *       Not so where queries and keys are rotated or normalized after their biases, or scores are capped.
 *   <li>A query's: the attention kernels add it as they load queries, unless queries are rotated or normalized.
 * </ul>
 */
final class AttentionBiases {
    private static final int SLICE_ELEMENTS = 1 << 20;

    private AttentionBiases() {}

    /**
     * Whether a kernel must go over queries and keys before attention: to rotate or normalize them, or to add a key's
     * bias that the softmax would see.
     */
    static boolean needPreparation(AttentionSpec attention) {
        return attention.rotary().isPresent()
                || attention.queryKeyNorm().isPresent()
                || (attention.queryKeyValueBias() && attention.softcap() > 0);
    }

    /**
     * The output product's bias with that of the values in it, summed in float64 over the weights as the model has them.
     *
     * @param attention a layer's, with a bias of the output, of the values, or both
     * @param source where weights come from
     * @param layer its number
     * @return b_o + W_o b_v, [H]
     */
    static float[] ofOutput(AttentionSpec attention, WeightSource source, int layer) {
        WeightTensor outputWeight = source.get(WeightRole.ATTENTION_OUTPUT, layer);
        double[] sum = new double[outputWeight.shape().get(0)];
        if (attention.outputBias()) {
            float[] bias = WeightReader.read(source.get(WeightRole.ATTENTION_OUTPUT_BIAS, layer));
            for (int i = 0; i < sum.length; i++) {
                sum[i] = bias[i];
            }
        }
        if (attention.queryKeyValueBias()) {
            float[] valueBias = WeightReader.read(source.get(WeightRole.VALUE_BIAS, layer));
            addProduct(outputWeight, ofEveryHead(attention, valueBias), sum);
        }
        float[] rounded = new float[sum.length];
        for (int i = 0; i < sum.length; i++) {
            rounded[i] = (float) sum[i];
        }
        return rounded;
    }

    /** Query heads that share a head of values share its bias: [K * d] to [A * d]. */
    private static float[] ofEveryHead(AttentionSpec attention, float[] valueBias) {
        int size = attention.headSize();
        int group = attention.heads() / attention.keyValueHeads();
        float[] all = new float[attention.projectionSize()];
        for (int head = 0; head < attention.heads(); head++) {
            System.arraycopy(valueBias, head / group * size, all, head * size, size);
        }
        return all;
    }

    /** sum [out] += w [out, in] x [in], a slice of the file at a time. */
    private static void addProduct(WeightTensor w, float[] x, double[] sum) {
        int lines = w.shape().get(w.transposed() ? 1 : 0);
        int lineLength = w.shape().get(w.transposed() ? 0 : 1);
        int perSlice = Math.max(1, SLICE_ELEMENTS / lineLength);
        for (int first = 0; first < lines; first += perSlice) {
            int count = Math.min(perSlice, lines - first);
            float[] slice = WeightReader.read(lines(w, first, count, lineLength));
            for (int line = first; line < first + count; line++) {
                int start = (line - first) * lineLength;
                for (int i = 0; i < lineLength; i++) {
                    sum[w.transposed() ? i : line] += (double) slice[start + i] * x[w.transposed() ? line : i];
                }
            }
        }
    }

    /** Lines [first, first + count) of a matrix, in the order of the file. */
    private static WeightTensor lines(WeightTensor w, int first, int count, int lineLength) {
        long lineBytes = (long) lineLength * w.type().bytes();
        FileRegion region =
                new FileRegion(w.region().file(), w.region().offset() + first * lineBytes, count * lineBytes);
        return new WeightTensor(w.name(), w.type(), List.of(count, lineLength), false, region);
    }
}
