package io.embed4j.cpu.graph;

import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.core.math.WeightReader;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A linear layer in 8-bit integers.
 *
 * <p>Each row of the input has a scale of its own, its largest magnitude / 127, so a text's vector does not depend on its
 * batch-mates; each row of the weight has one too. Then y = (q_x q_w) s_x s_w with sums in int32: exact but for the two
 * roundings, each at most half a step. Inputs are stored as unsigned bytes around 128, the form that the kernels multiply
 * fastest. An input that several layers share is quantized once.
 *
 * <p>x86 processors without VNNI add two neighbouring products in 16 bits and saturate there. 7-bit weights cannot reach
 * that limit (2 * 255 * 63 is 32130), at the price of twice the rounding error of the weights.
 */
final class Int8Linear implements Linear {
    private static final int ZERO_POINT = 128;
    private static final float LARGEST_INPUT = 127;

    private final OnnxGraph graph;
    private final WeightSource source;
    private final GraphWeights weights;
    private final int largestWeight;
    private final String one;
    private final String zeroPoint;
    private final String inverseOfLargestInput;
    private final String smallestScale;
    private final Map<String, QuantizedInput> inputs = new HashMap<>();

    private record QuantizedInput(String bytes, String scales) {}

    Int8Linear(OnnxGraph graph, WeightSource source, GraphWeights weights, int weightBits) {
        this.graph = graph;
        this.source = source;
        this.weights = weights;
        this.largestWeight = (1 << (weightBits - 1)) - 1;
        this.one = graph.floats("int8_one", new float[] {1});
        this.zeroPoint = graph.inline("int8_zero_point", DataType.UINT8, new byte[] {(byte) ZERO_POINT}, List.of());
        this.inverseOfLargestInput = graph.floats("int8_inverse", new float[] {1 / LARGEST_INPUT});
        this.smallestScale = graph.floats("int8_smallest_scale", new float[] {1e-30f});
    }

    @Override
    public String apply(String x, WeightRole weight, Optional<WeightRole> bias, int index) {
        QuantizedInput input = inputs.computeIfAbsent(x, this::quantize);
        WeightTensor tensor = source.get(weight, index);
        int out = tensor.shape().get(0);
        int in = tensor.shape().get(1);
        float[] values = WeightReader.read(tensor);
        float[] scales = new float[out];
        byte[] bytes = new byte[values.length]; // [in, out]
        for (int o = 0; o < out; o++) {
            float largest = 0;
            for (int i = 0; i < in; i++) {
                largest = Math.max(largest, Math.abs(values[o * in + i]));
            }
            scales[o] = largest == 0 ? 1 : largest / largestWeight;
            for (int i = 0; i < in; i++) {
                bytes[i * out + o] = (byte) Math.round(values[o * in + i] / scales[o]);
            }
        }
        String name = weight + "_" + index;
        String product = graph.nodeIn(
                OnnxGraph.MICROSOFT,
                "MatMulIntegerToFloat",
                List.of(
                        input.bytes(),
                        graph.inline(name + "_bytes", DataType.INT8, bytes, List.of(in, out)),
                        one,
                        graph.floats(name + "_scales", scales, out),
                        zeroPoint));
        String scaled = graph.node("Mul", List.of(product, input.scales()));
        return bias.map(role -> graph.node("Add", List.of(scaled, weights.tensor(role, index))))
                .orElse(scaled);
    }

    /** [T, in] as bytes, and [T, 1] scales. */
    private QuantizedInput quantize(String x) {
        String magnitudes = graph.node("Abs", List.of(x));
        String largest = graph.node("ReduceMax", List.of(magnitudes, graph.int64(-1)), Attribute.of("keepdims", 1));
        String scales = graph.node(
                "Max", List.of(graph.node("Mul", List.of(largest, inverseOfLargestInput)), smallestScale));
        String steps = graph.node("Div", List.of(x, scales));
        return new QuantizedInput(graph.node("QuantizeLinear", List.of(steps, one, zeroPoint)), scales);
    }
}
