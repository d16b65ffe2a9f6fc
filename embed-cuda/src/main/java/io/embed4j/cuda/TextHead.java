// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.Kernels.Norm;
import io.embed4j.cuda.Kernels.Rows;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.Gemm;
import io.embed4j.cuda.driver.Matrix;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.OutputRequest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * From token vectors to text vectors, in fp32: pooling, head modules, truncation, normalization. The usual head, one
 * pooling and no modules but Normalize, is a single kernel.
 */
final class TextHead {
    private final EncoderSpec spec;
    private final WeightLayout weights;
    private final DevicePointer weightBase;
    private final DevicePointer workPlace;
    private final long workBytes;
    private final Kernels kernels;
    private final Gemm gemm;
    private final List<HeadModule> modules;

    TextHead(
            EncoderSpec spec,
            EncoderArena arena,
            DevicePointer weightBase,
            DevicePointer activationBase,
            Kernels kernels,
            Gemm gemm) {
        this.spec = spec;
        this.weights = arena.weights();
        this.weightBase = weightBase;
        this.workPlace = activationBase.plus(arena.activations().wide());
        this.workBytes = arena.activations().wideBytes();
        this.kernels = kernels;
        this.gemm = gemm;
        int count = spec.head().size();
        this.modules = spec.head().subList(0, spec.normalizes() ? count - 1 : count);
    }

    /** Whether one token stands for a text, so that the last layer can be pruned. */
    static boolean takesOneToken(OutputRequest.Pooled request) {
        List<PoolingMode> modes = request.pooling().modes();
        return modes.size() == 1 && (modes.get(0) == PoolingMode.CLS || modes.get(0) == PoolingMode.LAST_TOKEN);
    }

    /**
     * How many texts can be worked on at once.
     *
     * @param request what is wanted
     */
    int textsAtOnce(OutputRequest.Pooled request) {
        if (isOneKernel(request)) {
            return Integer.MAX_VALUE;
        }
        return Math.toIntExact(halfBytes() / rowBytes(request));
    }

    /** Results of one module go to the half that the module before did not use. */
    private long halfBytes() {
        return workBytes / 2 / ArenaLayout.ALIGNMENT * ArenaLayout.ALIGNMENT;
    }

    private boolean isOneKernel(OutputRequest.Pooled request) {
        return modules.isEmpty() && request.pooling().modes().size() == 1;
    }

    private long rowBytes(OutputRequest.Pooled request) {
        int widest = request.pooling().outputSize(spec.hiddenSize());
        for (HeadModule module : modules) {
            widest = module instanceof HeadModule.Dense dense ? Math.max(widest, dense.outputSize()) : widest;
        }
        return (long) LayerWidths.padded(widest) * Float.BYTES;
    }

    /**
     * Queues the head for some of a batch's texts.
     *
     * @param result what the encoder gave
     * @param inputs the batch
     * @param request what is wanted
     * @param firstText the first text to take
     * @param texts how many, at most {@link #textsAtOnce}
     * @param out fp32 [texts, dimension]
     */
    void run(
            EncoderProgram.Result result,
            BatchInputs inputs,
            OutputRequest.Pooled request,
            int firstText,
            int texts,
            DevicePointer out) {
        boolean gathered = result.rows().count().equals(inputs.rowCount());
        DevicePointer hidden = gathered
                ? result.hidden()
                        .plus((long) firstText
                                * result.rows().stride()
                                * result.rows().type().bytes())
                : result.hidden();
        Rows rows = new Rows(
                result.rows().type(),
                result.rows().count(),
                texts,
                result.rows().width(),
                result.rows().stride());
        if (isOneKernel(request)) {
            int dimension = request.dimension();
            int mode = mode(request.pooling().modes().get(0), gathered);
            kernels.poolRows(rows, out, inputs, firstText, hidden, mode, dimension, 0, dimension, request.normalize());
            return;
        }
        DevicePointer even = workPlace;
        DevicePointer odd = workPlace.plus(halfBytes());
        int width = request.pooling().outputSize(spec.hiddenSize());
        Matrix matrix = new Matrix(even, texts, width, LayerWidths.padded(width));
        for (int i = 0; i < request.pooling().modes().size(); i++) {
            int mode = mode(request.pooling().modes().get(i), gathered);
            int offset = i * spec.hiddenSize();
            kernels.poolRows(
                    rows,
                    matrix.place(),
                    inputs,
                    firstText,
                    hidden,
                    mode,
                    matrix.stride(),
                    offset,
                    spec.hiddenSize(),
                    false);
        }
        for (int i = 0; i < modules.size(); i++) {
            DevicePointer target = matrix.place().equals(even) ? odd : even;
            matrix = apply(modules.get(i), i, inputs.rowCount(), matrix, target);
        }
        kernels.normalizeRows(
                inputs.rowCount(),
                texts,
                out,
                matrix.place(),
                matrix.stride(),
                request.dimension(),
                request.normalize());
    }

    private static int mode(PoolingMode mode, boolean gathered) {
        return gathered ? Kernels.POOLED_ALREADY : Kernels.code(mode);
    }

    /** Puts what a module makes of fp32 rows where the target is. */
    private Matrix apply(HeadModule module, int index, DevicePointer count, Matrix in, DevicePointer target) {
        int texts = in.rows();
        if (module instanceof HeadModule.Dense dense) {
            int stride = LayerWidths.padded(dense.outputSize());
            DevicePointer weight = required(WeightRole.HEAD_DENSE, index);
            int weightStride = LayerWidths.padded(dense.inputSize());
            gemm.multiply(
                    DType.FP32,
                    in,
                    new Matrix(weight, stride, dense.inputSize(), weightStride),
                    Matrix.dense(target, texts, stride));
            kernels.feedForwardActivation(
                    new Rows(DType.FP32, count, texts, stride, stride),
                    target,
                    weight(WeightRole.HEAD_DENSE_BIAS, index),
                    dense.activation(),
                    false);
            return new Matrix(target, texts, dense.outputSize(), stride);
        }
        if (module instanceof HeadModule.LayerNorm norm) {
            Rows rows = new Rows(DType.FP32, count, texts, in.columns(), in.stride());
            Norm weightsOfNorm = new Norm(
                    norm.norm(), required(WeightRole.HEAD_NORM_GAIN, index), weight(WeightRole.HEAD_NORM_BIAS, index));
            kernels.residualNorm(rows, null, target, in.place(), null, null, weightsOfNorm);
            return new Matrix(target, texts, in.columns(), in.stride());
        }
        // Normalize: its rows lie one behind the other, without padding.
        kernels.normalizeRows(count, texts, target, in.place(), in.stride(), in.columns(), true);
        return Matrix.dense(target, texts, in.columns());
    }

    private DevicePointer required(WeightRole role, int index) {
        return weightBase.plus(weights.offset(role, index));
    }

    private @Nullable DevicePointer weight(WeightRole role, int index) {
        long offset = weights.offset(role, index);
        return offset < 0 ? null : weightBase.plus(offset);
    }
}
