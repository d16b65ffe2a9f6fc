// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.WeightRole;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A linear layer in fp32 that also returns the largest magnitude of each input channel, [in], as an output of the graph.
 * Layers that share an input share the output.
 */
final class CalibratingLinear implements Linear {
    private final OnnxGraph graph;
    private final Linear linear;
    private final Map<String, Integer> outputByInput = new HashMap<>();
    private final Map<LinearSite, Integer> outputBySite = new HashMap<>();

    CalibratingLinear(OnnxGraph graph, Linear linear) {
        this.graph = graph;
        this.linear = linear;
    }

    @Override
    public String apply(String x, WeightRole weight, Optional<WeightRole> bias, int index) {
        outputBySite.put(new LinearSite(weight, index), outputByInput.computeIfAbsent(x, this::addOutput));
        return linear.apply(x, weight, bias, index);
    }

    private int addOutput(String x) {
        String magnitudes = graph.node("Abs", List.of(x));
        String largest = graph.node("ReduceMax", List.of(magnitudes, graph.int64(0)), Attribute.of("keepdims", 0));
        int place = outputByInput.size();
        graph.output(largest, "magnitudes_" + place, DataType.FLOAT, "in_" + place);
        return place;
    }

    /** Which output of the graph holds the magnitudes of a layer's input. */
    Map<LinearSite, Integer> outputBySite() {
        return outputBySite;
    }
}
