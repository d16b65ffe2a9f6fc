// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.nio.file.Path;
import java.util.List;

/** Enters weights into a graph: as external data where they lie, widened to fp32 by a node. */
final class GraphWeights {
    private final OnnxGraph graph;
    private final WeightSource source;
    private final Path folder;

    GraphWeights(OnnxGraph graph, WeightSource source, Path folder) {
        this.graph = graph;
        this.source = source;
        this.folder = folder;
    }

    /** A weight as it is stored, in fp32: what has to be widened for that is widened once, when the session loads. */
    String tensor(WeightRole role, int index) {
        return toFloat(stored(role, index), role, index);
    }

    /** Rows of a table, in fp32. They are widened behind the look-up: so the table stays in its file. */
    String rows(WeightRole table, String index) {
        String rows = graph.node("Gather", List.of(stored(table, 0), index), Attribute.of("axis", 0));
        return toFloat(rows, table, 0);
    }

    private String toFloat(String numbers, WeightRole role, int index) {
        return onnxType(source.get(role, index)) == DataType.FLOAT
                ? numbers
                : graph.node("Cast", List.of(numbers), Attribute.of("to", DataType.FLOAT));
    }

    private String stored(WeightRole role, int index) {
        WeightTensor weight = source.get(role, index);
        List<Integer> stored = weight.transposed()
                ? List.of(weight.shape().get(1), weight.shape().get(0))
                : weight.shape();
        return external(role + "_" + index, onnxType(weight), stored, weight.region());
    }

    /** A tensor whose bytes lie in a file below the folder. */
    String external(String name, int type, List<Integer> shape, FileRegion region) {
        String location = folder.relativize(region.file()).toString().replace('\\', '/');
        return graph.external(name, type, shape, location, region.offset(), region.length());
    }

    boolean isTransposed(WeightRole role, int index) {
        return source.get(role, index).transposed();
    }

    private static int onnxType(WeightTensor weight) {
        return switch (weight.type()) {
            case FP64 -> DataType.DOUBLE;
            case FP32 -> DataType.FLOAT;
            case FP16 -> DataType.FLOAT16;
            case BF16 -> DataType.BFLOAT16;
            default ->
                throw new UnsupportedModelException("Weight " + weight.name() + " is stored as " + weight.type()
                        + ", which the CPU backend does not run.");
        };
    }
}
