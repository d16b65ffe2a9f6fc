// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.Activation;
import org.jspecify.annotations.Nullable;

/** The kernels' slow twins: the same operations written out in float64, one number at a time. */
final class Twins {
    /** Stands in results where nothing is written. Exact in every storage type. */
    static final double UNWRITTEN = -1536;

    private Twins() {}

    /** Layer or RMS norm of x[from, from + width). */
    static double[] norm(
            double[] x, int from, int width, double[] gain, double @Nullable [] bias, double epsilon, boolean rms) {
        double mean = 0;
        for (int i = 0; i < width && !rms; i++) {
            mean += x[from + i] / width;
        }
        double variance = 0;
        for (int i = 0; i < width; i++) {
            variance += (x[from + i] - mean) * (x[from + i] - mean) / width;
        }
        double[] result = new double[width];
        for (int i = 0; i < width; i++) {
            result[i] = (x[from + i] - mean) / Math.sqrt(variance + epsilon) * gain[i] + (bias == null ? 0 : bias[i]);
        }
        return result;
    }

    /** An activation function. */
    static double activate(Activation activation, double x) {
        return switch (activation) {
            case IDENTITY -> x;
            case GELU_ERF -> 0.5 * x * (1 + erf(x / Math.sqrt(2)));
            case GELU_TANH -> 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU -> Math.max(0, x);
            case SILU -> x / (1 + Math.exp(-x));
            case TANH -> Math.tanh(x);
            case SIGMOID -> 1 / (1 + Math.exp(-x));
        };
    }

    /** 2 / sqrt(pi) times the sum of (-1)^n x^(2n+1) / (n! (2n+1)); beyond 5 it is 1 to 11 digits. */
    static double erf(double x) {
        if (Math.abs(x) > 5) {
            return Math.signum(x);
        }
        double term = x;
        double sum = x;
        for (int n = 1; n < 200; n++) {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return 2 / Math.sqrt(Math.PI) * sum;
    }

    /**
     * Attention as a textbook has it.
     *
     * @param heads A
     * @param keyValueHeads K
     * @param headSize d
     * @param headStride P
     * @param scale factor on q k
     * @param softcap 0 for none
     * @param causal whether later keys are hidden
     * @param window farthest key, -1 for all
     * @param distanceBias [A, 2 * biasReach + 1], null for none
     * @param biasReach largest distance in the table; what is farther takes the outermost entry
     * @param alibiSlopes [A], null for none
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Attention(
            int heads,
            int keyValueHeads,
            int headSize,
            int headStride,
            double scale,
            double softcap,
            boolean causal,
            int window,
            double @Nullable [] distanceBias,
            int biasReach,
            double @Nullable [] alibiSlopes) {

        int tokenStride() {
            return (heads + 2 * keyValueHeads) * headStride;
        }

        /** out [T, A * P] of qkv [T, (A + 2 K) * P]. */
        double[] apply(double[] qkv, int[] cuSeqLens) {
            int tokens = cuSeqLens[cuSeqLens.length - 1];
            double[] out = new double[tokens * heads * headStride];
            for (int row = 0; row + 1 < cuSeqLens.length; row++) {
                for (int query = cuSeqLens[row]; query < cuSeqLens[row + 1]; query++) {
                    for (int head = 0; head < heads; head++) {
                        attend(qkv, query, cuSeqLens[row], cuSeqLens[row + 1], head, out);
                    }
                }
            }
            return out;
        }

        private void attend(double[] qkv, int query, int from, int to, int head, double[] out) {
            int keyHead = heads + head / (heads / keyValueHeads);
            int valueHead = keyHead + keyValueHeads;
            double[] weights = new double[to - from];
            double maximum = Double.NEGATIVE_INFINITY;
            for (int key = from; key < to; key++) {
                weights[key - from] = score(qkv, query, key, head, keyHead);
                maximum = Math.max(maximum, weights[key - from]);
            }
            double sum = 0;
            for (int i = 0; i < weights.length; i++) {
                weights[i] = Math.exp(weights[i] - maximum);
                sum += weights[i];
            }
            for (int key = from; key < to; key++) {
                for (int i = 0; i < headSize; i++) {
                    out[(query * heads + head) * headStride + i] +=
                            weights[key - from] / sum * qkv[key * tokenStride() + valueHead * headStride + i];
                }
            }
        }

        private double score(double[] qkv, int query, int key, int head, int keyHead) {
            int distance = key - query;
            if ((causal && distance > 0) || (window >= 0 && Math.abs(distance) > window)) {
                return Double.NEGATIVE_INFINITY;
            }
            double score = 0;
            for (int i = 0; i < headSize; i++) {
                score += qkv[query * tokenStride() + head * headStride + i]
                        * qkv[key * tokenStride() + keyHead * headStride + i];
            }
            score *= scale;
            if (softcap > 0) {
                score = softcap * Math.tanh(score / softcap);
            }
            if (distanceBias != null) {
                int place = Math.max(-biasReach, Math.min(biasReach, distance)) + biasReach;
                score += distanceBias[head * (2 * biasReach + 1) + place];
            }
            return alibiSlopes == null ? score : score - alibiSlopes[head] * Math.abs(distance);
        }
    }
}
