// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.core.math.RotaryAngles;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.Activation;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.LayerSpec.NormPlacement;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.WeightSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The encoder as an ONNX graph over packed tokens.
 *
 * <p>Everything runs on [T, H], without padding. Attention wants rows of one length, so it goes over groups of neighbouring
 * rows that have one ({@link RowAttention}), unless there is but one row.
 *
 * <p>Weights are external data: regions of the model's own files, in their own layout (Gemm takes [out, in] and
 * [in, out]) and precision (a Cast that the session folds when it loads).
 */
public final class EncoderGraph {
    /** [T] token ids. */
    public static final String TOKEN_IDS = "token_ids";
    /** [T] token types. */
    public static final String TYPE_IDS = "type_ids";
    /** [T] rows of the position table, or of the angles. */
    public static final String POSITIONS = "positions";
    /** [G, 1] first token of each group of neighbouring rows of equal length. */
    public static final String GROUP_STARTS = "group_starts";
    /** [G, 1] the token behind each group. */
    public static final String GROUP_ENDS = "group_ends";
    /** [G, 3] rows of each group, their length, and -1 for the width. */
    public static final String GROUP_SHAPES = "group_shapes";
    /** [S, S] distance from query to key, plus the longest text, minus 1; only where attention has a bias. */
    public static final String DISTANCES = "distances";
    /** [T, R / 2] cosines of the angles of each token; only where they depend on a text's length. */
    public static final String COSINES = "cosines";
    /** [T, R / 2] sines of the angles of each token; likewise. */
    public static final String SINES = "sines";

    /** What batches a graph takes. */
    public enum Rows {
        /** Any number of rows, in groups of equal length. */
        ANY,
        /** One row, which needs no groups. */
        ONE
    }

    /** Rows of a multiple of this many numbers all begin alike for vector instructions. */
    private static final int VECTOR_FLOATS = 4;

    private static final Set<WeightRole> TABLES =
            Set.of(WeightRole.TOKEN_EMBEDDING, WeightRole.TYPE_EMBEDDING, WeightRole.POSITION_EMBEDDING);

    private final EncoderSpec spec;
    private final GraphWeights weights;
    private Linear linear;
    private final OnnxGraph graph = new OnnxGraph();

    private final Map<Integer, String> vectors = new HashMap<>();
    private final Map<Float, String> scalars = new HashMap<>();
    private final RowAttention rowAttention;
    private final Rotation rotation;

    private EncoderGraph(EncoderSpec spec, WeightSource source, Path folder, Rows rows) {
        this.spec = spec;
        this.weights = new GraphWeights(graph, source, folder);
        this.linear = new FloatLinear(graph, source, weights);
        int longest = spec.embedding().positions().usablePositions();
        this.rowAttention = new RowAttention(graph, rows, new ScoreBias(graph, weights, longest));
        this.rotation = new Rotation(graph, longest);
    }

    /**
     * Builds a graph.
     *
     * @param spec the architecture
     * @param weights the weights
     * @param folder what external data is named relative to
     * @param quantized for linear layers in integers, whose weights go into its file; empty for fp32
     * @param outputLayers hidden states to return, in order: 0 the embeddings, 1 to L behind a layer
     * @param rows what batches it takes
     * @return an ONNX model whose outputs are {@code hidden_N} [T, H] fp32
     * @throws UnsupportedModelException if the spec has a feature that this graph cannot express; it names it
     */
    public static byte[] build(
            EncoderSpec spec,
            WeightSource weights,
            Path folder,
            Optional<QuantizedWeights> quantized,
            List<Integer> outputLayers,
            Rows rows) {
        requireSupported(spec);
        EncoderGraph encoder = new EncoderGraph(spec, weights, folder, rows);
        quantized.ifPresent(file -> encoder.linear = new Int8Linear(encoder.graph, weights, encoder.weights, file));
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
        for (LayerSpec layer : spec.layers()) {
            refuseIf(layer.attention().softcap() != 0, "capped scores");
        }
    }

    /**
     * Tells whether rows of a weight are looked up.
     *
     * @param role its part in the encoder
     * @return whether it stays in its file, mapped as it is stored
     */
    public static boolean isTable(WeightRole role) {
        return TABLES.contains(role);
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
        rowAttention.declareInputs();
        if (spec.embedding().tokenTypes() > 0) {
            graph.input(TYPE_IDS, DataType.INT32, "T");
        }
        if (RotaryAngles.byBatch(spec).isPresent()) {
            graph.input(COSINES, DataType.FLOAT, "T", "pairs");
            graph.input(SINES, DataType.FLOAT, "T", "pairs");
        }
        if (hasDistanceBias(spec)) {
            graph.input(DISTANCES, DataType.INT32, "S", "S");
        }
        List<String> hidden = new ArrayList<>();
        hidden.add(embeddings());
        for (int i = 0; i < spec.layers().size(); i++) {
            hidden.add(layer(hidden.get(i), spec.layers().get(i), i));
        }
        spec.finalNorm()
                .ifPresent(norm -> hidden.set(
                        spec.layers().size(),
                        norm(
                                hidden.get(spec.layers().size()),
                                norm,
                                WeightRole.FINAL_NORM_GAIN,
                                WeightRole.FINAL_NORM_BIAS,
                                0)));
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

    /**
     * Rows of tables are small numbers, which the norm behind them makes large; every layer works on with what was lost
     * here. So they are added up and normalized in fp64 where positions are no rows of a table: a fifth less error. Where they
     * are, torch rounds sums of tables as well, which its own error and with it the bar contain, and fp64 would only cost
     * time: 3 % of short texts.
     */
    private String embeddingTables() {
        EmbeddingSpec embedding = spec.embedding();
        boolean exact = !(embedding.positions() instanceof EmbeddingSpec.LearnedPositions)
                && embedding.norm().filter(EncoderGraph::hasExactNorm).isPresent();
        String sum = gather(WeightRole.TOKEN_EMBEDDING, TOKEN_IDS, exact);
        if (embedding.scale() != 1) {
            String scale = scalar(embedding.scale());
            sum = graph.node("Mul", List.of(sum, exact ? wide(scale) : scale));
        }
        if (embedding.tokenTypes() > 0) {
            sum = add(sum, gather(WeightRole.TYPE_EMBEDDING, TYPE_IDS, exact));
        }
        if (embedding.positions() instanceof EmbeddingSpec.LearnedPositions) {
            sum = add(sum, gather(WeightRole.POSITION_EMBEDDING, POSITIONS, exact));
        }
        if (embedding.norm().isEmpty()) {
            return sum;
        }
        NormSpec norm = embedding.norm().get();
        return exact
                ? exactNorm(sum, norm)
                : norm(sum, norm, WeightRole.EMBEDDING_NORM_GAIN, WeightRole.EMBEDDING_NORM_BIAS, 0);
    }

    private static boolean hasExactNorm(NormSpec norm) {
        return norm.kind() == NormSpec.Kind.LAYER_NORM && norm.gainOffset() == 0;
    }

    /** The embeddings' norm of fp64, rounded to fp32. */
    private String exactNorm(String x, NormSpec norm) {
        List<String> inputs = new ArrayList<>(List.of(x, wide(weights.tensor(WeightRole.EMBEDDING_NORM_GAIN, 0))));
        if (norm.bias()) {
            inputs.add(wide(weights.tensor(WeightRole.EMBEDDING_NORM_BIAS, 0)));
        }
        String normed = graph.node("LayerNormalization", inputs, Attribute.of("epsilon", (float) norm.epsilon()));
        return graph.node("Cast", List.of(normed), Attribute.of("to", DataType.FLOAT));
    }

    /** The first norm of a model that has none behind its embeddings, of fp32 in fp64, rounded to fp32. */
    private String exactRmsNorm(String x, NormSpec norm, int index) {
        String exact = wide(x);
        String square = graph.node(
                "ReduceMean",
                List.of(graph.node("Mul", List.of(exact, exact)), graph.int64(-1)),
                Attribute.of("keepdims", 1));
        String root = graph.node("Sqrt", List.of(add(square, wide(scalar(norm.epsilon())))));
        String stored = wide(weights.tensor(WeightRole.ATTENTION_NORM_GAIN, index));
        String gain = norm.gainOffset() == 0 ? stored : add(stored, wide(scalar(norm.gainOffset())));
        String normed = graph.node("Mul", List.of(graph.node("Div", List.of(exact, root)), gain));
        return graph.node("Cast", List.of(normed), Attribute.of("to", DataType.FLOAT));
    }

    private String wide(String x) {
        return graph.node("Cast", List.of(x), Attribute.of("to", DataType.DOUBLE));
    }

    private String gather(WeightRole table, String index, boolean wide) {
        String rowsOfTable = weights.rows(table, index);
        return wide ? wide(rowsOfTable) : rowsOfTable;
    }

    /**
     * [T, H] to [T, H]. Norms behind the sums: x = norm(x + attention(x)); x = norm(x + feedForward(x)). Before the blocks:
     * x = x + attention(norm(x)); x = x + feedForward(norm(x)), where blocks may have a norm on their output too.
     */
    private String layer(String x, LayerSpec layer, int index) {
        boolean post = layer.normPlacement() == NormPlacement.POST;
        String attentionInput = post || !layer.attentionInputNorm() ? x : attentionNorm(x, layer, index);
        String attended = add(
                x,
                outputNorm(
                        attention(attentionInput, layer.attention(), index),
                        layer,
                        WeightRole.ATTENTION_OUTPUT_NORM_GAIN,
                        index));
        String middle = post ? attentionNorm(attended, layer, index) : attended;
        String fed = add(
                middle,
                outputNorm(
                        feedForward(post ? middle : feedForwardNorm(middle, layer, index), layer.feedForward(), index),
                        layer,
                        WeightRole.FEED_FORWARD_OUTPUT_NORM_GAIN,
                        index));
        return post ? feedForwardNorm(fed, layer, index) : fed;
    }

    private String attentionNorm(String x, LayerSpec layer, int index) {
        boolean first = index == 0 && spec.embedding().norm().isEmpty();
        if (first && layer.norm().kind() == NormSpec.Kind.RMS_NORM && layer.normPlacement() != NormPlacement.POST) {
            return exactRmsNorm(x, layer.norm(), index);
        }
        return norm(x, layer.norm(), WeightRole.ATTENTION_NORM_GAIN, WeightRole.ATTENTION_NORM_BIAS, index);
    }

    private String feedForwardNorm(String x, LayerSpec layer, int index) {
        return norm(x, layer.norm(), WeightRole.FEED_FORWARD_NORM_GAIN, WeightRole.FEED_FORWARD_NORM_BIAS, index);
    }

    private String outputNorm(String x, LayerSpec layer, WeightRole gain, int index) {
        return layer.normPlacement() == NormPlacement.PRE_AND_POST
                ? scaled(normalized(x, layer.norm()), layer.norm(), gain, index)
                : x;
    }

    private String attention(String x, AttentionSpec attention, int index) {
        boolean bias = attention.queryKeyValueBias();
        String query = prepared(
                linear(x, WeightRole.QUERY, WeightRole.QUERY_BIAS, bias, index),
                attention,
                attention.heads(),
                WeightRole.QUERY_NORM_GAIN,
                index);
        String key = prepared(
                linear(x, WeightRole.KEY, WeightRole.KEY_BIAS, bias, index),
                attention,
                attention.keyValueHeads(),
                WeightRole.KEY_NORM_GAIN,
                index);
        String value = linear(x, WeightRole.VALUE, WeightRole.VALUE_BIAS, bias, index);
        String context =
                rowAttention.apply(query, forEveryHead(key, attention), forEveryHead(value, attention), attention);
        return linear(
                context, WeightRole.ATTENTION_OUTPUT, WeightRole.ATTENTION_OUTPUT_BIAS, attention.outputBias(), index);
    }

    /** Queries or keys, [T, heads * h], normalized head by head and turned where the layer does that. */
    private String prepared(String x, AttentionSpec attention, int heads, WeightRole gain, int index) {
        String normed = x;
        if (attention.queryKeyNorm().isPresent()) {
            NormSpec norm = attention.queryKeyNorm().get();
            String byHead = graph.node("Reshape", List.of(x, graph.int64(0, heads, attention.headSize())));
            normed = graph.node(
                    "Reshape",
                    List.of(
                            scaled(normalized(byHead, norm), norm, gain, index),
                            graph.int64(-1, (long) heads * attention.headSize())));
        }
        return attention.rotary().isPresent()
                ? rotation.apply(normed, attention.rotary().get(), heads, attention.headSize())
                : normed;
    }

    /** [T, keyValueHeads * h] to [T, A * h]: each head once for every query head that shares it. */
    private String forEveryHead(String x, AttentionSpec attention) {
        int sharing = attention.heads() / attention.keyValueHeads();
        if (sharing == 1) {
            return x;
        }
        String byHead =
                graph.node("Reshape", List.of(x, graph.int64(0, attention.keyValueHeads(), 1, attention.headSize())));
        String repeated = graph.node("Expand", List.of(byHead, graph.int64(1, 1, sharing, 1)));
        return graph.node("Reshape", List.of(repeated, graph.int64(-1, attention.projectionSize())));
    }

    /** Tells whether the graph wants {@link #DISTANCES}. */
    public static boolean hasDistanceBias(EncoderSpec spec) {
        return spec.layers().stream().anyMatch(layer -> ScoreBias.dependsOnDistance(layer.attention()));
    }

    private String feedForward(String x, FeedForwardSpec feedForward, int index) {
        boolean bias = feedForward.inputBias();
        String up = linear(x, WeightRole.FEED_FORWARD_UP, WeightRole.FEED_FORWARD_UP_BIAS, bias, index);
        String inner = feedForward.gated()
                ? graph.node(
                        "Mul",
                        List.of(
                                activation(
                                        linear(
                                                x,
                                                WeightRole.FEED_FORWARD_GATE,
                                                WeightRole.FEED_FORWARD_GATE_BIAS,
                                                bias,
                                                index),
                                        feedForward.activation()),
                                up))
                : activation(up, feedForward.activation());
        return linear(
                inner,
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

    private String norm(String x, NormSpec norm, WeightRole gain, WeightRole bias, int index) {
        int width = gain == WeightRole.EMBEDDING_NORM_GAIN ? spec.embedding().embeddingSize() : spec.hiddenSize();
        if (norm.kind() == NormSpec.Kind.LAYER_NORM && norm.gainOffset() == 0 && width % VECTOR_FLOATS != 0) {
            // InstanceNormalization sums in an order that depends on where a row begins: on its batch-mates.
            List<String> inputs = new ArrayList<>(List.of(x, weights.tensor(gain, index)));
            if (norm.bias()) {
                inputs.add(weights.tensor(bias, index));
            }
            return graph.node("LayerNormalization", inputs, Attribute.of("epsilon", (float) norm.epsilon()));
        }
        String scaled = scaled(normalized(x, norm), norm, gain, index);
        return norm.bias() ? add(scaled, weights.tensor(bias, index)) : scaled;
    }

    /**
     * Normalizes each token, or each head of [T, heads, h] (RMSNorm only).
     *
     * <p>LayerNorm as InstanceNormalization on [T, 1, H], which is the same when gain and bias follow it: ONNX Runtime's
     * kernel for that uses vector instructions, the one for LayerNormalization does not and takes four times as long.
     */
    private String normalized(String x, NormSpec norm) {
        Attribute epsilon = Attribute.of("epsilon", (float) norm.epsilon());
        if (norm.kind() == NormSpec.Kind.RMS_NORM) {
            String square = graph.node(
                    "ReduceMean",
                    List.of(graph.node("Mul", List.of(x, x)), graph.int64(-1)),
                    Attribute.of("keepdims", 1));
            String shifted = add(square, scalar(norm.epsilon()));
            return graph.node("Div", List.of(x, graph.node("Sqrt", List.of(shifted))));
        }
        String tokens = graph.node("Unsqueeze", List.of(x, graph.int64(1)));
        String normed = graph.node("InstanceNormalization", List.of(tokens, vectorOf(1), vectorOf(0)), epsilon);
        return graph.node("Squeeze", List.of(normed, graph.int64(1)));
    }

    private String scaled(String x, NormSpec norm, WeightRole gain, int index) {
        String stored = weights.tensor(gain, index);
        if (norm.gainOffset() == 0) {
            return graph.node("Mul", List.of(x, stored));
        }
        return graph.node("Mul", List.of(x, add(stored, scalar(norm.gainOffset()))));
    }

    /** [1]. */
    private String vectorOf(int number) {
        return vectors.computeIfAbsent(number, value -> graph.floats("vector_of_" + value, new float[] {value}, 1));
    }

    private String scalar(double number) {
        return scalars.computeIfAbsent(
                (float) number, value -> graph.floats("scalar_" + scalars.size(), new float[] {value}));
    }

    private String add(String x, String y) {
        return graph.node("Add", List.of(x, y));
    }
}
