// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.WeightSource;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * From token vectors to text vectors on the host, in float64: pooling, head modules, truncation, normalization.
 *
 * <p>Sums run in float64, so the result carries the encoder's error and adds one rounding to fp32. The cost is that of
 * reading [T, H] once. The CPU backend uses it as it is; for the CUDA kernels it is the twin. Formulas as in
 * sentence-transformers' Pooling and Normalize.
 */
public final class PoolingHead {
    /** As torch's {@code normalize}: shorter vectors are divided by this. */
    private static final double MIN_NORM = 1e-12;

    private final int hiddenSize;
    private final List<Step> steps = new ArrayList<>();

    /** One module between pooling and normalization. */
    @FunctionalInterface
    private interface Step {
        double[] apply(double[] vector);
    }

    /**
     * Reads the weights of the head.
     *
     * @param spec the architecture
     * @param weights the weights
     */
    public PoolingHead(EncoderSpec spec, WeightSource weights) {
        hiddenSize = spec.hiddenSize();
        int modules = spec.normalizes() ? spec.head().size() - 1 : spec.head().size();
        for (int i = 0; i < modules; i++) {
            steps.add(step(spec.head().get(i), weights, i));
        }
    }

    /**
     * Pools a batch.
     *
     * @param batch which tokens belong to which row
     * @param hidden [T, H] token vectors, from its position on; not advanced
     * @param request pooling, dimension, normalization
     * @return [B, dimension], row-major
     */
    public float[] apply(PackedBatch batch, FloatBuffer hidden, OutputRequest.Pooled request) {
        float[] vectors = new float[Math.multiplyExact(batch.rows(), request.dimension())];
        for (int row = 0; row < batch.rows(); row++) {
            double[] vector = pool(batch, row, hidden, request.pooling().modes());
            for (Step step : steps) {
                vector = step.apply(vector);
            }
            vector = Arrays.copyOf(vector, request.dimension());
            if (request.normalize()) {
                toUnitLength(vector);
            }
            for (int i = 0; i < vector.length; i++) {
                vectors[row * request.dimension() + i] = (float) vector[i];
            }
        }
        return vectors;
    }

    private double[] pool(PackedBatch batch, int row, FloatBuffer hidden, List<PoolingMode> modes) {
        int first = batch.cuSeqLens()[row];
        int pooledFrom = first + batch.poolStarts()[row];
        int end = batch.cuSeqLens()[row + 1];
        double[] all = new double[hiddenSize * modes.size()];
        for (int i = 0; i < modes.size(); i++) {
            double[] vector = switch (modes.get(i)) {
                case CLS -> token(hidden, pooledFrom);
                case LAST_TOKEN -> token(hidden, end - 1);
                case MAX -> maximum(hidden, pooledFrom, end);
                case MEAN -> scale(sum(hidden, first, pooledFrom, end, false), end - pooledFrom);
                case MEAN_SQRT_LENGTH -> scale(sum(hidden, first, pooledFrom, end, false), Math.sqrt(end - pooledFrom));
                case WEIGHTED_MEAN ->
                    scale(sum(hidden, first, pooledFrom, end, true), sumOfPlaces(pooledFrom - first + 1, end - first));
            };
            System.arraycopy(vector, 0, all, i * hiddenSize, hiddenSize);
        }
        return all;
    }

    private double[] token(FloatBuffer hidden, int token) {
        double[] vector = new double[hiddenSize];
        int from = hidden.position() + token * hiddenSize;
        for (int i = 0; i < hiddenSize; i++) {
            vector[i] = hidden.get(from + i);
        }
        return vector;
    }

    /** Sum over tokens [from, end), each weighted by its place in the row (from 1) or by 1. */
    private double[] sum(FloatBuffer hidden, int first, int from, int end, boolean byPlace) {
        double[] sum = new double[hiddenSize];
        float[] token = new float[hiddenSize];
        for (int t = from; t < end; t++) {
            hidden.get(hidden.position() + t * hiddenSize, token);
            double weight = byPlace ? t - first + 1 : 1;
            for (int i = 0; i < hiddenSize; i++) {
                sum[i] += weight * token[i];
            }
        }
        return sum;
    }

    private double[] maximum(FloatBuffer hidden, int from, int end) {
        double[] maximum = token(hidden, from);
        for (int t = from + 1; t < end; t++) {
            for (int i = 0; i < hiddenSize; i++) {
                maximum[i] = Math.max(maximum[i], hidden.get(hidden.position() + t * hiddenSize + i));
            }
        }
        return maximum;
    }

    /** from + (from + 1) + ... + to. */
    private static double sumOfPlaces(int from, int to) {
        return (from + (double) to) * (to - from + 1) / 2;
    }

    private static double[] scale(double[] vector, double divisor) {
        for (int i = 0; i < vector.length; i++) {
            vector[i] /= divisor;
        }
        return vector;
    }

    private static void toUnitLength(double[] vector) {
        double square = 0;
        for (double value : vector) {
            square += value * value;
        }
        scale(vector, Math.max(Math.sqrt(square), MIN_NORM));
    }

    private static Step step(HeadModule module, WeightSource weights, int index) {
        if (module instanceof HeadModule.Dense dense) {
            float[] matrix = WeightReader.read(weights.get(WeightRole.HEAD_DENSE, index));
            float[] bias = dense.bias()
                    ? WeightReader.read(weights.get(WeightRole.HEAD_DENSE_BIAS, index))
                    : new float[dense.outputSize()];
            return vector -> dense(vector, matrix, bias, dense);
        }
        if (module instanceof HeadModule.LayerNorm norm) {
            float[] gain = WeightReader.read(weights.get(WeightRole.HEAD_NORM_GAIN, index));
            float[] bias = norm.norm().bias()
                    ? WeightReader.read(weights.get(WeightRole.HEAD_NORM_BIAS, index))
                    : new float[norm.size()];
            return vector -> normalize(vector, gain, bias, norm.norm());
        }
        return vector -> {
            toUnitLength(vector);
            return vector;
        };
    }

    private static double[] dense(double[] vector, float[] matrix, float[] bias, HeadModule.Dense dense) {
        double[] out = new double[dense.outputSize()];
        for (int o = 0; o < out.length; o++) {
            double sum = bias[o];
            for (int i = 0; i < vector.length; i++) {
                sum += vector[i] * matrix[o * vector.length + i];
            }
            out[o] = dense.activation().apply(sum);
        }
        return out;
    }

    private static double[] normalize(double[] vector, float[] gain, float[] bias, NormSpec norm) {
        double mean = norm.kind() == NormSpec.Kind.RMS_NORM
                ? 0
                : Arrays.stream(vector).average().orElse(0);
        double variance = Arrays.stream(vector)
                .map(x -> (x - mean) * (x - mean))
                .average()
                .orElse(0);
        double[] out = new double[vector.length];
        for (int i = 0; i < out.length; i++) {
            out[i] =
                    (vector[i] - mean) / Math.sqrt(variance + norm.epsilon()) * (gain[i] + norm.gainOffset()) + bias[i];
        }
        return out;
    }
}
