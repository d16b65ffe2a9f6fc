// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.core.math.RotaryAngles;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.RotarySpec;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns queries and keys by their position: ONNX Runtime's RotaryEmbedding, with one pair of tables per rotation, which the
 * batch brings along where angles depend on the text's length. Each token is a row of its own to it, since it takes no row
 * that is longer than the tables.
 */
final class Rotation {
    private final OnnxGraph graph;
    private final int positions;
    private final Map<RotarySpec, Tables> tables = new HashMap<>();
    private String places = "";

    private record Tables(String cosines, String sines) {}

    /**
     * Begins with no tables.
     *
     * @param positions longest text in tokens
     */
    Rotation(OnnxGraph graph, int positions) {
        this.graph = graph;
        this.positions = positions;
    }

    /**
     * Writes a rotation.
     *
     * @param x [T, heads * headSize]
     * @param rotary which
     * @param heads how many
     * @param headSize numbers per head
     * @return [T, heads * headSize]
     */
    String apply(String x, RotarySpec rotary, int heads, int headSize) {
        Tables angles = tables.computeIfAbsent(rotary, this::tables);
        String turned = graph.nodeIn(
                OnnxGraph.MICROSOFT,
                "RotaryEmbedding",
                List.of(
                        graph.node("Unsqueeze", List.of(x, graph.int64(1))),
                        places(),
                        angles.cosines(),
                        angles.sines()),
                Attribute.of("num_heads", heads),
                Attribute.of(
                        "rotary_embedding_dim", rotary.rotaryDimension() == headSize ? 0 : rotary.rotaryDimension()),
                Attribute.of("interleaved", rotary.pairing() == RotarySpec.Pairing.NEIGHBOURS ? 1 : 0));
        return graph.node("Squeeze", List.of(turned, graph.int64(1)));
    }

    /** [T, 1], in the type that the operator wants. */
    private String places() {
        if (places.isEmpty()) {
            String wide = graph.node("Cast", List.of(EncoderGraph.POSITIONS), Attribute.of("to", DataType.INT64));
            places = graph.node("Unsqueeze", List.of(wide, graph.int64(1)));
        }
        return places;
    }

    private Tables tables(RotarySpec rotary) {
        if (RotaryAngles.dependOnLength(rotary)) {
            return new Tables(EncoderGraph.COSINES, EncoderGraph.SINES);
        }
        RotaryAngles angles = RotaryAngles.of(rotary, positions);
        int pairs = rotary.rotaryDimension() / 2;
        String suffix = "_" + tables.size();
        return new Tables(
                graph.floats("cosines" + suffix, angles.cosines(), positions, pairs),
                graph.floats("sines" + suffix, angles.sines(), positions, pairs));
    }
}
