// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.WeightSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A linear layer in fp32: Gemm on the weight as it lies in its file, [out, in] or [in, out]. */
record FloatLinear(OnnxGraph graph, WeightSource source, GraphWeights weights) implements Linear {
    @Override
    public String apply(String x, WeightRole weight, Optional<WeightRole> bias, int index) {
        List<String> inputs = new ArrayList<>(List.of(x, weights.tensor(weight, index)));
        bias.ifPresent(role -> inputs.add(weights.tensor(role, index)));
        boolean storedInOut = source.get(weight, index).transposed();
        return graph.node("Gemm", inputs, Attribute.of("transB", storedInOut ? 0 : 1));
    }
}
