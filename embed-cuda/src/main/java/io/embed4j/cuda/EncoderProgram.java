// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.Kernels.HeadPreparation;
import io.embed4j.cuda.Kernels.Norm;
import io.embed4j.cuda.Kernels.Rows;
import io.embed4j.cuda.Kernels.Scores;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.Gemm;
import io.embed4j.cuda.driver.Matrix;
import io.embed4j.spec.AttentionBias;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.DType;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.LayerSpec.NormPlacement;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The encoder as launches: the spec is walked once, and what remains for a batch is to go through the stages.
 *
 * <p>Tokens stay packed from beginning to end. A layer of the usual kind is eight launches: one product for queries, keys
 * and values; attention; its output product; bias, residual and norm in one; the feed-forward block's two products around
 * one activation; bias, residual and norm again. Where queries and keys are rotated or normalized there is one more,
 * before attention.
 *
 * <p>Poolings that take one token need the last layer's output product and feed-forward block for those tokens only:
 * rows do not meet outside attention, so this is exact.
 */
final class EncoderProgram {
    private final EncoderSpec spec;
    private final DType type;
    private final WeightLayout weights;
    private final ActivationLayout activations;
    private final DevicePointer weightBase;
    private final DevicePointer activationBase;
    private final int computeCapability;
    private final Kernels kernels;
    private final Gemm gemm;
    private final int hiddenStride;
    private final List<Layer> layers = new ArrayList<>();
    private final @Nullable Norm embeddingNorm;
    private final @Nullable Norm finalNorm;

    /** What a layer needs that does not change from batch to batch. */
    private record Layer(
            LayerSpec spec,
            LayerWidths widths,
            Scores scores,
            @Nullable HeadPreparation preparation,
            @Nullable DevicePointer queryBias,
            DevicePointer queryKeyValue,
            DevicePointer attentionOutput,
            @Nullable DevicePointer attentionOutputBias,
            @Nullable Norm attentionNorm,
            @Nullable Norm attentionOutputNorm,
            DevicePointer up,
            @Nullable DevicePointer upBias,
            DevicePointer down,
            @Nullable DevicePointer downBias,
            Norm feedForwardNorm,
            @Nullable Norm feedForwardOutputNorm) {}

    /** Launches of the embeddings and of the text head, where neither has a projection. */
    private static final int LAUNCHES_BESIDE_LAYERS = 2;

    private static final int LAUNCHES_PER_LAYER = 8;

    /** About how many launches a batch takes. */
    static long launches(EncoderSpec spec) {
        long launches = LAUNCHES_BESIDE_LAYERS;
        for (LayerSpec layer : spec.layers()) {
            int preparations = AttentionBiases.needPreparation(layer.attention()) ? 1 : 0;
            int outputNorms = layer.normPlacement() == NormPlacement.PRE_AND_POST ? 2 : 0;
            launches += LAUNCHES_PER_LAYER + preparations + outputNorms;
        }
        return launches;
    }

    /** Takes token vectors behind layers; 0 is what comes out of the embeddings. */
    @FunctionalInterface
    interface LayerListener {
        void onLayer(int layer, DevicePointer hidden, Rows rows);
    }

    /**
     * The result of a run.
     *
     * @param hidden S
     * @param rows all tokens, or one row for each text if the last layer was pruned
     */
    record Result(DevicePointer hidden, Rows rows) {}

    EncoderProgram(
            EncoderSpec spec,
            EncoderArena arena,
            DevicePointer weightBase,
            DevicePointer activationBase,
            int computeCapability,
            Kernels kernels,
            Gemm gemm) {
        this.spec = spec;
        this.type = arena.type();
        this.weights = arena.weights();
        this.activations = arena.activations();
        this.weightBase = weightBase;
        this.activationBase = activationBase;
        this.computeCapability = computeCapability;
        this.kernels = kernels;
        this.gemm = gemm;
        this.hiddenStride = LayerWidths.padded(spec.hiddenSize());
        this.embeddingNorm = norm(
                spec.embedding().norm().orElse(null),
                WeightRole.EMBEDDING_NORM_GAIN,
                WeightRole.EMBEDDING_NORM_BIAS,
                0);
        this.finalNorm = norm(spec.finalNorm().orElse(null), WeightRole.FINAL_NORM_GAIN, WeightRole.FINAL_NORM_BIAS, 0);
        for (int i = 0; i < spec.layers().size(); i++) {
            layers.add(layer(spec.layers().get(i), i));
        }
    }

    private Layer layer(LayerSpec layer, int index) {
        AttentionSpec attention = layer.attention();
        LayerWidths widths = weights.layers().get(index);
        boolean prepared = AttentionBiases.needPreparation(attention);
        boolean sandwich = layer.normPlacement() == NormPlacement.PRE_AND_POST;
        return new Layer(
                layer,
                widths,
                scores(attention),
                prepared ? preparation(attention, index) : null,
                prepared ? null : weight(WeightRole.QUERY_BIAS, index),
                required(WeightRole.QUERY, index),
                required(WeightRole.ATTENTION_OUTPUT, index),
                weight(WeightRole.ATTENTION_OUTPUT_BIAS, index),
                layer.attentionInputNorm()
                        ? norm(layer.norm(), WeightRole.ATTENTION_NORM_GAIN, WeightRole.ATTENTION_NORM_BIAS, index)
                        : null,
                sandwich ? norm(layer.norm(), WeightRole.ATTENTION_OUTPUT_NORM_GAIN, null, index) : null,
                layer.feedForward().gated()
                        ? required(WeightRole.FEED_FORWARD_GATE, index)
                        : required(WeightRole.FEED_FORWARD_UP, index),
                layer.feedForward().gated()
                        ? weight(WeightRole.FEED_FORWARD_GATE_BIAS, index)
                        : weight(WeightRole.FEED_FORWARD_UP_BIAS, index),
                required(WeightRole.FEED_FORWARD_DOWN, index),
                weight(WeightRole.FEED_FORWARD_DOWN_BIAS, index),
                new Norm(
                        layer.norm(),
                        required(WeightRole.FEED_FORWARD_NORM_GAIN, index),
                        weight(WeightRole.FEED_FORWARD_NORM_BIAS, index)),
                sandwich ? norm(layer.norm(), WeightRole.FEED_FORWARD_OUTPUT_NORM_GAIN, null, index) : null);
    }

    private Scores scores(AttentionSpec attention) {
        boolean buckets = attention.bias() instanceof AttentionBias.RelativeBuckets;
        boolean alibi = attention.bias() instanceof AttentionBias.Alibi;
        return new Scores(
                (float) attention.scale(),
                (float) attention.softcap(),
                attention.causal(),
                attention.windowDistance().orElse(-1),
                buckets ? weightBase.plus(weights.distanceBiasOffset()) : null,
                weights.biasReach(),
                alibi ? weightBase.plus(weights.alibiOffset()) : null);
    }

    private HeadPreparation preparation(AttentionSpec attention, int index) {
        RotarySpec rotary = attention.rotary().orElse(null);
        WeightLayout.RotaryTable table =
                rotary == null ? null : weights.rotaryTables().get(rotary);
        NormSpec norm = attention.queryKeyNorm().orElse(null);
        return new HeadPreparation(
                weight(WeightRole.QUERY_BIAS, index),
                rotary,
                table == null ? null : weightBase.plus(table.cosines()),
                table == null ? null : weightBase.plus(table.sines()),
                norm(norm, WeightRole.QUERY_NORM_GAIN, null, index),
                norm(norm, WeightRole.KEY_NORM_GAIN, null, index));
    }

    private @Nullable Norm norm(@Nullable NormSpec norm, WeightRole gain, @Nullable WeightRole bias, int index) {
        return norm == null ? null : new Norm(norm, required(gain, index), bias == null ? null : weight(bias, index));
    }

    private DevicePointer required(WeightRole role, int index) {
        DevicePointer pointer = weight(role, index);
        if (pointer == null) {
            throw new IllegalStateException("The layout has no place for " + role + " of layer " + index + ".");
        }
        return pointer;
    }

    private @Nullable DevicePointer weight(WeightRole role, int index) {
        long offset = weights.offset(role, index);
        return offset < 0 ? null : weightBase.plus(offset);
    }

    private DevicePointer activation(long offset) {
        return activationBase.plus(offset);
    }

    /**
     * Queries of one item of work.
     *
     * @param longestRow no row of the batch is longer
     */
    int queriesPerItem(int longestRow) {
        return attentionKernel(layers.get(0), longestRow).queriesPerBlock();
    }

    private AttentionKernel attentionKernel(Layer layer, int longestRow) {
        return AttentionKernel.choose(type, layer.widths().attention().headStride(), computeCapability, longestRow);
    }

    /** The attention kernels in use, with the most shared memory that they may want. */
    List<AttentionKernel> attentionKernels() {
        return layers.stream()
                .map(layer -> attentionKernel(layer, Integer.MAX_VALUE / 2))
                .distinct()
                .toList();
    }

    /**
     * Queues the whole encoder.
     *
     * @param inputs the batch
     * @param pruned whether only the gathered tokens are wanted
     * @param listener sees the token vectors behind each layer; with pruning not those of the last
     */
    Result run(BatchInputs inputs, boolean pruned, LayerListener listener) {
        Rows rows = new Rows(type, inputs.tokenCount(), inputs.tokenBound(), spec.hiddenSize(), hiddenStride);
        DevicePointer hidden = activation(activations.hidden());
        embed(inputs, rows, hidden);
        listener.onLayer(0, hidden, rows);
        DevicePointer input = normedInput(0, rows, hidden);
        for (int i = 0; i < layers.size(); i++) {
            boolean last = i == layers.size() - 1;
            Layer layer = layers.get(i);
            attend(layer, inputs, rows, input);
            DevicePointer attended = activation(activations.mixed());
            if (last && pruned) {
                Rows texts = new Rows(type, inputs.rowCount(), inputs.rowBound(), spec.hiddenSize(), hiddenStride);
                DevicePointer gathered = activation(activations.wide());
                int attendedWidth = layer.widths().attended();
                kernels.gatherRows(
                        new Rows(type, inputs.rowCount(), inputs.rowBound(), attendedWidth, attendedWidth),
                        gathered,
                        attended,
                        inputs.gathered());
                kernels.gatherRows(texts, activation(activations.mixed()), hidden, inputs.gathered());
                rows = texts;
                hidden = activation(activations.mixed());
                attended = gathered;
            }
            input = finishLayer(i, layer, rows, hidden, attended);
            if (!last || finalNorm == null) {
                listener.onLayer(i + 1, hidden, rows);
            }
        }
        if (finalNorm != null) {
            listener.onLayer(layers.size(), input, rows);
        }
        return new Result(finalNorm == null ? hidden : input, rows);
    }

    private void embed(BatchInputs inputs, Rows rows, DevicePointer hidden) {
        EmbeddingSpec embedding = spec.embedding();
        int width = embedding.embeddingSize();
        int stride = LayerWidths.padded(width);
        DevicePointer projection = weight(WeightRole.EMBEDDING_PROJECTION, 0);
        DevicePointer target = projection == null ? hidden : activation(activations.mixed());
        kernels.embeddingGatherNorm(
                new Rows(type, rows.count(), rows.bound(), width, stride),
                target,
                inputs,
                required(WeightRole.TOKEN_EMBEDDING, 0),
                weight(WeightRole.POSITION_EMBEDDING, 0),
                weight(WeightRole.TYPE_EMBEDDING, 0),
                (float) embedding.scale(),
                embeddingNorm);
        if (projection != null) {
            DevicePointer out = activation(activations.out());
            multiply(rows, target, stride, projection, out, hiddenStride);
            kernels.residualNorm(rows, hidden, null, out, weight(WeightRole.EMBEDDING_PROJECTION_BIAS, 0), null, null);
        }
    }

    /** The first layer's input, where norms stand before the blocks; later ones come out of the layer before. */
    private DevicePointer normedInput(int index, Rows rows, DevicePointer hidden) {
        Norm norm = inputNorm(index);
        if (norm == null) {
            return hidden;
        }
        DevicePointer normed = activation(activations.normed());
        kernels.residualNorm(rows, null, normed, hidden, null, null, norm);
        return normed;
    }

    /** The norm before a layer, or behind the last one. */
    private @Nullable Norm inputNorm(int index) {
        if (index == layers.size()) {
            return finalNorm;
        }
        Layer layer = layers.get(index);
        return layer.spec().normPlacement() == NormPlacement.POST ? null : layer.attentionNorm();
    }

    /** y = x w^T where all of x's row is used. */
    private void multiply(Rows rows, DevicePointer x, int xWidth, DevicePointer w, DevicePointer y, int yWidth) {
        gemm.multiply(
                type,
                Matrix.dense(x, rows.bound(), xWidth),
                Matrix.dense(w, yWidth, xWidth),
                Matrix.dense(y, rows.bound(), yWidth));
    }

    /** Attention up to its output product, into the mixed place. */
    private void attend(Layer layer, BatchInputs inputs, Rows rows, DevicePointer input) {
        LayerWidths widths = layer.widths();
        DevicePointer qkv = activation(activations.wide());
        multiply(rows, input, hiddenStride, layer.queryKeyValue(), qkv, widths.queryKeyValue());
        HeadPreparation preparation = layer.preparation();
        if (preparation != null) {
            kernels.queryKeyBiasRotary(type, qkv, inputs, preparation.with(inputs), widths.attention());
        }
        kernels.attention(
                attentionKernel(layer, inputs.longestBound()),
                activation(activations.mixed()),
                qkv,
                layer.queryBias(),
                inputs,
                layer.scores(),
                widths.attention());
    }

    /** From what attention returned to the end of the layer; returns the next layer's input. */
    private DevicePointer finishLayer(int index, Layer layer, Rows rows, DevicePointer hidden, DevicePointer attended) {
        LayerWidths widths = layer.widths();
        DevicePointer out = activation(activations.out());
        multiply(rows, attended, widths.attended(), layer.attentionOutput(), out, hiddenStride);
        DevicePointer input = addToResidual(
                layer,
                rows,
                hidden,
                layer.attentionOutputBias(),
                layer.attentionOutputNorm(),
                layer.attentionNorm(),
                layer.feedForwardNorm());
        DevicePointer wide = activation(activations.wide());
        multiply(rows, input, hiddenStride, layer.up(), wide, widths.feedForwardStride());
        kernels.feedForwardActivation(
                new Rows(type, rows.count(), rows.bound(), widths.feedForward(), widths.feedForwardStride()),
                wide,
                layer.upBias(),
                layer.spec().feedForward().activation(),
                layer.spec().feedForward().gated());
        // Gate and up lie side by side; what came of them is in the first half of each row.
        gemm.multiply(
                type,
                new Matrix(wide, rows.bound(), widths.feedForward(), widths.feedForwardStride()),
                Matrix.dense(layer.down(), hiddenStride, widths.feedForward()),
                Matrix.dense(out, rows.bound(), hiddenStride));
        return addToResidual(
                layer,
                rows,
                hidden,
                layer.downBias(),
                layer.feedForwardOutputNorm(),
                layer.feedForwardNorm(),
                inputNorm(index + 1));
    }

    /**
     * Adds a block's output to the residual stream, with the norms where the layer has them.
     *
     * @param outputNorm of the block's output, for {@link NormPlacement#PRE_AND_POST}
     * @param sumNorm of the sum, for {@link NormPlacement#POST}
     * @param nextNorm of what the next block gets, for norms before the blocks
     * @return what the next block gets
     */
    private DevicePointer addToResidual(
            Layer layer,
            Rows rows,
            DevicePointer hidden,
            @Nullable DevicePointer bias,
            @Nullable Norm outputNorm,
            @Nullable Norm sumNorm,
            @Nullable Norm nextNorm) {
        DevicePointer out = activation(activations.out());
        if (layer.spec().normPlacement() == NormPlacement.POST) {
            kernels.residualNorm(rows, null, hidden, out, bias, hidden, sumNorm);
            return hidden;
        }
        DevicePointer addedBias = bias;
        if (outputNorm != null) {
            kernels.residualNorm(rows, null, out, out, bias, null, outputNorm);
            addedBias = null;
        }
        DevicePointer normed = nextNorm == null ? null : activation(activations.normed());
        kernels.residualNorm(rows, hidden, normed, out, addedBias, hidden, nextNorm);
        return normed == null ? hidden : normed;
    }
}
