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

/** Enters weights into a graph: as external data where they lie, widened to fp32 by a node that folds. */
final class GraphWeights {
    private final OnnxGraph graph;
    private final WeightSource source;
    private final Path folder;

    GraphWeights(OnnxGraph graph, WeightSource source, Path folder) {
        this.graph = graph;
        this.source = source;
        this.folder = folder;
    }

    /** A weight as it is stored, in fp32. */
    String tensor(WeightRole role, int index) {
        WeightTensor weight = source.get(role, index);
        List<Integer> stored = weight.transposed()
                ? List.of(weight.shape().get(1), weight.shape().get(0))
                : weight.shape();
        FileRegion region = weight.region();
        String name = graph.external(
                role + "_" + index,
                onnxType(weight),
                stored,
                folder.relativize(region.file()).toString().replace('\\', '/'),
                region.offset(),
                region.length());
        return onnxType(weight) == DataType.FLOAT
                ? name
                : graph.node("Cast", List.of(name), Attribute.of("to", DataType.FLOAT));
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
