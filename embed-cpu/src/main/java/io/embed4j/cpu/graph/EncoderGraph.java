// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.Activation;
import io.embed4j.spec.AttentionBias;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.WeightSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The encoder as an ONNX graph over packed tokens.
 *
 * <p>Everything runs on [T, H], without padding, but attention: its kernel wants [B, S], so queries, keys and values are
 * gathered into rows by {@link #PAD_INDEX} and the context is gathered back by {@link #UNPAD_INDEX}, unless there is but
 * one row. The kernel, ONNX Runtime's MultiHeadAttention, is told the length of each row and masks what is padding.
 *
 * <p>Weights are external data: regions of the model's own files, in their own layout (Gemm takes [out, in] and
 * [in, out]) and precision (a Cast that the session folds when it loads).
 */
public final class EncoderGraph {
    /** [T] token ids. */
    public static final String TOKEN_IDS = "token_ids";
    /** [T] token types. */
    public static final String TYPE_IDS = "type_ids";
    /** [T] rows of the position table. */
    public static final String POSITIONS = "positions";
    /** [B, S] which token stands there; any token where there is padding. */
    public static final String PAD_INDEX = "pad_index";
    /** [T] place of each token in [B * S]. */
    public static final String UNPAD_INDEX = "unpad_index";
    /** [S, S] distance from query to key, plus the longest text, minus 1; only where attention has a bias. */
    public static final String DISTANCES = "distances";
    /** [B] row lengths. */
    public static final String ROW_LENGTHS = "row_lengths";

    /** What batches a graph takes. */
    public enum Rows {
        /** Any number of rows, padded for attention. */
        ANY,
        /**
         * One row, which needs neither {@link #PAD_INDEX} nor {@link #UNPAD_INDEX}. Its length still goes to attention: the
         * kernel without a mask is a little faster but differs in the last bit, and a text should have the same vector
         * alone and in a batch.
         */
        ONE
    }

    /** What is added to the scores of padding: the lowest float, so that their weight is exactly 0. */
    private static final float MASKED = -Float.MAX_VALUE;

    private final EncoderSpec spec;
    private final GraphWeights weights;
    private final Rows rows;
    private Linear linear;
    private final OnnxGraph graph = new OnnxGraph();
    private final String unitGain = graph.floats("unit_gain", new float[] {1}, 1);
    private final String noBias = graph.floats("no_bias", new float[] {0}, 1);

    /** What all layers add to their scores, [1, A, S, S]; "" for nothing. */
    private String distanceBias = "";

    private EncoderGraph(EncoderSpec spec, WeightSource source, Path folder, Rows rows) {
        this.spec = spec;
        this.weights = new GraphWeights(graph, source, folder);
        this.rows = rows;
        this.linear = new FloatLinear(graph, source, weights);
    }

    /**
     * Builds a graph.
     *
     * @param spec the architecture
     * @param weights the weights
     * @param folder what external data is named relative to
     * @param quantization for linear layers in integers; empty for fp32
     * @param outputLayers hidden states to return, in order: 0 the embeddings, 1 to L behind a layer
     * @param rows what batches it takes
     * @return an ONNX model whose outputs are {@code hidden_N} [T, H] fp32
     * @throws UnsupportedModelException if the spec has a feature that this graph cannot express; it names it
     */
    public static byte[] build(
            EncoderSpec spec,
            WeightSource weights,
            Path folder,
            Optional<Quantization> quantization,
            List<Integer> outputLayers,
            Rows rows) {
        requireSupported(spec);
        EncoderGraph encoder = new EncoderGraph(spec, weights, folder, rows);
        quantization.ifPresent(chosen -> encoder.linear = new Int8Linear(encoder.graph, weights, chosen));
        encoder.write(outputLayers);
        return encoder.graph.toModel();
    }

    /**
     * A graph in fp32 that returns the magnitudes of what goes into linear layers.
     *
     * @param model the ONNX model; each output is [in]
     * @param outputBySite which output belongs to which layer
     */
    @SuppressWarnings("ArrayRecordComponent") // bytes on their way to a session
    public record Calibration(byte[] model, Map<LinearSite, Integer> outputBySite) {}

    /**
     * Builds a graph for calibration.
     *
     * @param spec the architecture
     * @param weights the weights
     * @param folder what external data is named relative to
     */
    public static Calibration buildCalibration(EncoderSpec spec, WeightSource weights, Path folder) {
        requireSupported(spec);
        EncoderGraph encoder = new EncoderGraph(spec, weights, folder, Rows.ANY);
        CalibratingLinear calibrating = new CalibratingLinear(encoder.graph, encoder.linear);
        encoder.linear = calibrating;
        encoder.write(List.of());
        return new Calibration(encoder.graph.toModel(), calibrating.outputBySite());
    }

    /**
     * Refuses what the graph cannot express.
     *
     * @throws UnsupportedModelException if there is such a feature; it names it
     */
    public static void requireSupported(EncoderSpec spec) {
        EmbeddingSpec embedding = spec.embedding();
        refuseIf(!(embedding.positions() instanceof EmbeddingSpec.LearnedPositions), "positions inside attention");
        refuseIf(embedding.scale() != 1, "scaled embeddings");
        refuseIf(spec.finalNorm().isPresent(), "a final norm");
        for (LayerSpec layer : spec.layers()) {
            AttentionSpec attention = layer.attention();
            refuseIf(layer.normPlacement() != LayerSpec.NormPlacement.POST, "norms before the blocks");
            refuseIf(layer.norm().kind() != NormSpec.Kind.LAYER_NORM, "RMSNorm");
            refuseIf(layer.norm().gainOffset() != 0, "norm gains with an offset");
            refuseIf(layer.feedForward().gated(), "gated feed-forward blocks");
            refuseIf(attention.causal(), "causal attention");
            refuseIf(attention.windowDistance().isPresent(), "windowed attention");
            refuseIf(attention.heads() != attention.keyValueHeads(), "grouped-query attention");
            refuseIf(attention.rotary().isPresent(), "rotary positions");
            refuseIf(attention.queryKeyNorm().isPresent(), "query and key norms");
            refuseIf(attention.softcap() != 0, "capped scores");
            refuseIf(attention.bias() instanceof AttentionBias.Alibi, "ALiBi");
        }
    }

    private static void refuseIf(boolean present, String feature) {
        if (present) {
            throw new UnsupportedModelException(
                    "The CPU backend of this version does not run models with " + feature + ".");
        }
    }

    private void write(List<Integer> outputLayers) {
        graph.input(TOKEN_IDS, DataType.INT32, "T");
        graph.input(POSITIONS, DataType.INT32, "T");
        graph.input(ROW_LENGTHS, DataType.INT32, "B");
        if (rows == Rows.ANY) {
            graph.input(PAD_INDEX, DataType.INT32, "B", "S");
            graph.input(UNPAD_INDEX, DataType.INT32, "T");
        }
        if (spec.embedding().tokenTypes() > 0) {
            graph.input(TYPE_IDS, DataType.INT32, "T");
        }
        if (hasDistanceBias(spec)) {
            graph.input(DISTANCES, DataType.INT32, "S", "S");
            distanceBias = distanceBias();
        }
        List<String> hidden = new ArrayList<>();
        hidden.add(embeddings());
        for (int i = 0; i < spec.layers().size(); i++) {
            hidden.add(layer(hidden.get(i), spec.layers().get(i), i));
        }
        for (int layer : outputLayers) {
            graph.output(hidden.get(layer), "hidden_" + layer, DataType.FLOAT, "T", "H");
        }
    }

    /** [T, H]: token + position + type, normalized, and brought to H where the tables are narrower. */
    private String embeddings() {
        String tables = embeddingTables();
        return spec.embedding().embeddingSize() == spec.hiddenSize()
                ? tables
                : linear(tables, WeightRole.EMBEDDING_PROJECTION, WeightRole.EMBEDDING_PROJECTION_BIAS, true, 0);
    }

    private String embeddingTables() {
        String sum = gather(WeightRole.TOKEN_EMBEDDING, TOKEN_IDS);
        if (spec.embedding().tokenTypes() > 0) {
            sum = add(sum, gather(WeightRole.TYPE_EMBEDDING, TYPE_IDS));
        }
        sum = add(sum, gather(WeightRole.POSITION_EMBEDDING, POSITIONS));
        if (spec.embedding().norm().isEmpty()) {
            return sum;
        }
        NormSpec norm = spec.embedding().norm().get();
        return layerNorm(sum, norm, WeightRole.EMBEDDING_NORM_GAIN, WeightRole.EMBEDDING_NORM_BIAS, 0);
    }

    private String gather(WeightRole table, String index) {
        return graph.node("Gather", List.of(weights.tensor(table, 0), index), Attribute.of("axis", 0));
    }

    /** [T, H] to [T, H]: x = norm(x + attention(x)); x = norm(x + feedForward(x)). */
    private String layer(String x, LayerSpec layer, int index) {
        String attended = add(x, attention(x, layer.attention(), index));
        String middle = layerNorm(
                attended, layer.norm(), WeightRole.ATTENTION_NORM_GAIN, WeightRole.ATTENTION_NORM_BIAS, index);
        String fed = add(middle, feedForward(middle, layer.feedForward(), index));
        return layerNorm(
                fed, layer.norm(), WeightRole.FEED_FORWARD_NORM_GAIN, WeightRole.FEED_FORWARD_NORM_BIAS, index);
    }

    private String attention(String x, AttentionSpec attention, int index) {
        boolean bias = attention.queryKeyValueBias();
        String query = rows(linear(x, WeightRole.QUERY, WeightRole.QUERY_BIAS, bias, index));
        String key = rows(linear(x, WeightRole.KEY, WeightRole.KEY_BIAS, bias, index));
        String value = rows(linear(x, WeightRole.VALUE, WeightRole.VALUE_BIAS, bias, index));
        String context = graph.nodeIn(
                OnnxGraph.MICROSOFT,
                "MultiHeadAttention",
                List.of(query, key, value, "", ROW_LENGTHS, distanceBias),
                Attribute.of("num_heads", attention.heads()),
                Attribute.of("scale", (float) attention.scale()),
                Attribute.of("mask_filter_value", MASKED));
        String packed = packed(context, attention.projectionSize());
        return linear(
                packed, WeightRole.ATTENTION_OUTPUT, WeightRole.ATTENTION_OUTPUT_BIAS, attention.outputBias(), index);
    }

    /** Tells whether the graph wants {@link #DISTANCES}. */
    public static boolean hasDistanceBias(EncoderSpec spec) {
        return spec.layers().get(0).attention().bias() instanceof AttentionBias.RelativeBuckets;
    }

    /** The learned number of each bucket, spread over all distances once at load, then picked for each pair of tokens. */
    private String distanceBias() {
        AttentionBias.RelativeBuckets relative =
                (AttentionBias.RelativeBuckets) spec.layers().get(0).attention().bias();
        int longest = spec.embedding().positions().usablePositions();
        long[] buckets = IntStream.range(1 - longest, longest)
                .mapToLong(relative::bucket)
                .toArray();
        String byBucket = weights.tensor(WeightRole.RELATIVE_BIAS, 0);
        String byDistance = graph.node("Gather", List.of(byBucket, graph.int64(buckets)), Attribute.of("axis", 0));
        String heads = graph.node("Transpose", List.of(byDistance), Attribute.of("perm", List.of(1L, 0L)));
        String pairs = graph.node("Gather", List.of(heads, DISTANCES), Attribute.of("axis", 1));
        return graph.node("Unsqueeze", List.of(pairs, graph.int64(0)));
    }

    /** [T, A * h] to [B, S, A * h]. */
    private String rows(String packed) {
        return rows == Rows.ONE
                ? graph.node("Unsqueeze", List.of(packed, graph.int64(0)))
                : graph.node("Gather", List.of(packed, PAD_INDEX), Attribute.of("axis", 0));
    }

    /** [B, S, width] to [T, width]. */
    private String packed(String rowsOfTokens, int width) {
        String flat = graph.node("Reshape", List.of(rowsOfTokens, graph.int64(-1, width)));
        return rows == Rows.ONE ? flat : graph.node("Gather", List.of(flat, UNPAD_INDEX), Attribute.of("axis", 0));
    }

    private String feedForward(String x, FeedForwardSpec feedForward, int index) {
        String up =
                linear(x, WeightRole.FEED_FORWARD_UP, WeightRole.FEED_FORWARD_UP_BIAS, feedForward.inputBias(), index);
        return linear(
                activation(up, feedForward.activation()),
                WeightRole.FEED_FORWARD_DOWN,
                WeightRole.FEED_FORWARD_DOWN_BIAS,
                feedForward.outputBias(),
                index);
    }

    private String activation(String x, Activation activation) {
        return switch (activation) {
            case IDENTITY -> x;
            case GELU_ERF -> graph.node("Gelu", List.of(x), Attribute.of("approximate", "none"));
            case GELU_TANH -> graph.node("Gelu", List.of(x), Attribute.of("approximate", "tanh"));
            case RELU -> graph.node("Relu", List.of(x));
            case SILU -> graph.nodeIn(OnnxGraph.MICROSOFT, "QuickGelu", List.of(x), Attribute.of("alpha", 1f));
            case TANH -> graph.node("Tanh", List.of(x));
            case SIGMOID -> graph.node("Sigmoid", List.of(x));
        };
    }

    private String linear(String x, WeightRole weight, WeightRole bias, boolean hasBias, int index) {
        return linear.apply(x, weight, hasBias ? Optional.of(bias) : Optional.empty(), index);
    }

    /**
     * Normalizes each token.
     *
     * <p>As InstanceNormalization on [T, 1, H], which is the same when gain and bias follow it: ONNX Runtime's kernel for
     * that uses vector instructions, the one for LayerNormalization does not and takes four times as long.
     */
    private String layerNorm(String x, NormSpec norm, WeightRole gain, WeightRole bias, int index) {
        String tokens = graph.node("Unsqueeze", List.of(x, graph.int64(1)));
        String normed =
                graph.node("InstanceNormalization", List.of(tokens, unitGain, noBias), Attribute.of("epsilon", (float)
                        norm.epsilon()));
        String scaled = graph.node(
                "Mul", List.of(graph.node("Squeeze", List.of(normed, graph.int64(1))), weights.tensor(gain, index)));
        return norm.bias() ? add(scaled, weights.tensor(bias, index)) : scaled;
    }

    private String add(String x, String y) {
        return graph.node("Add", List.of(x, y));
    }
}
