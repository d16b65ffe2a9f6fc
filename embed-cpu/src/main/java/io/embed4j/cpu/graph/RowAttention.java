// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.cpu.graph.EncoderGraph.Rows;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.AttentionSpec;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Attention of packed rows, [T, A * h], without padding and without a mask.
 *
 * <p>ONNX Runtime's kernel wants rows of one length, [B, S, A * h]. Padded rows need a mask, which it copies for every head,
 * and with which it keeps all scores; without one it takes a kernel that keeps them in the cache. So the graph walks
 * over groups of neighbouring rows of equal length and gives each its own run of the kernel: some 30 microseconds a group and
 * layer, which is less than the mask costs even where every row has a length of its own. A row's numbers depend on its own
 * tokens alone, whatever stands beside it.
 */
final class RowAttention {
    private final OnnxGraph graph;
    private final Rows rows;
    private final ScoreBias scoreBias;
    private @Nullable String groupCount;
    private @Nullable String groupShapes;

    RowAttention(OnnxGraph graph, Rows rows, ScoreBias scoreBias) {
        this.graph = graph;
        this.rows = rows;
        this.scoreBias = scoreBias;
    }

    /** Declares what the graph is told of groups. */
    void declareInputs() {
        if (rows == Rows.ANY) {
            graph.input(EncoderGraph.GROUP_STARTS, DataType.INT32, "G", "one");
            graph.input(EncoderGraph.GROUP_ENDS, DataType.INT32, "G", "one");
            graph.input(EncoderGraph.GROUP_SHAPES, DataType.INT32, "G", "three");
            groupCount = graph.node("Size", List.of(EncoderGraph.GROUP_STARTS));
            groupShapes = graph.node("Cast", List.of(EncoderGraph.GROUP_SHAPES), Attribute.of("to", DataType.INT64));
        }
    }

    /**
     * Mixes values.
     *
     * @param query [T, A * h], like key and value
     * @return [T, A * h]
     */
    String apply(String query, String key, String value, AttentionSpec attention) {
        String bias = scoreBias.of(attention);
        if (groupCount == null || groupShapes == null) {
            List<String> row = new ArrayList<>();
            for (String x : List.of(query, key, value)) {
                row.add(graph.node("Unsqueeze", List.of(x, graph.int64(0))));
            }
            return kernel(graph, row, bias, attention);
        }
        String shapes = groupShapes;
        return graph.forEach(groupCount, (body, group) -> {
            String start = pick(body, EncoderGraph.GROUP_STARTS, group);
            String end = pick(body, EncoderGraph.GROUP_ENDS, group);
            String shape = pick(body, shapes, group);
            List<String> rowsOfGroup = new ArrayList<>();
            for (String x : List.of(query, key, value)) {
                String tokens = body.node("Slice", List.of(x, start, end));
                rowsOfGroup.add(body.node("Reshape", List.of(tokens, shape)));
            }
            return kernel(body, rowsOfGroup, bias.isEmpty() ? bias : square(body, bias, shape), attention);
        });
    }

    private static String pick(OnnxGraph body, String table, String group) {
        return body.node("Gather", List.of(table, group), Attribute.of("axis", 0));
    }

    /** The first S queries and keys of [1, A or 1, S of the longest row, S of the longest row]. */
    private static String square(OnnxGraph body, String bias, String shape) {
        String lengths = pick(body, shape, body.int64(1, 1));
        return body.node("Slice", List.of(bias, body.int64(0, 0), lengths, body.int64(2, 3)));
    }

    /** [B, S, A * h] of query, key and value to [B * S, A * h]. */
    private static String kernel(OnnxGraph graph, List<String> rows, String bias, AttentionSpec attention) {
        List<String> inputs = new ArrayList<>(rows);
        if (!bias.isEmpty()) {
            inputs.addAll(List.of("", "", bias));
        }
        String context = graph.nodeIn(
                OnnxGraph.MICROSOFT,
                "MultiHeadAttention",
                inputs,
                Attribute.of("num_heads", attention.heads()),
                Attribute.of("scale", (float) attention.scale()));
        return graph.node("Reshape", List.of(context, graph.int64(-1, attention.projectionSize())));
    }
}
