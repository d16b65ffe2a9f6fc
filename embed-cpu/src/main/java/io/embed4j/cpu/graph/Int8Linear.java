// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.core.math.WeightReader;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A linear layer in 8-bit integers.
 *
 * <p>Each row of the input has a scale of its own, its largest magnitude / 127, so a text's vector does not depend on its
 * batch-mates; each row of the weight has one too. Then y = (q_x q_w) s_x s_w with sums in int32: exact but for the two
 * roundings, each at most half a step. Inputs are stored as unsigned bytes around 128, the form that the kernels multiply
 * fastest. An input that several layers share is quantized once.
 *
 * <p>A few channels of the input are many times larger than the rest and would take all the steps of a row. Following
 * SmoothQuant (<a href="https://arxiv.org/abs/2211.10438">arXiv 2211.10438</a>) each channel is divided by
 * sqrt(its magnitude / the largest weight that meets it), and the weight multiplied by the same, which leaves the product
 * as it is. Magnitudes come from samples. Minimum cosine on the default model: 0.986 without, 0.996 with.
 *
 * <p>x86 processors without VNNI add two neighbouring products in 16 bits and saturate there. 7-bit weights cannot reach
 * that limit (2 * 255 * 63 is 32130), at the price of twice the rounding error of the weights.
 */
final class Int8Linear implements Linear {
    private static final int ZERO_POINT = 128;
    private static final float LARGEST_INPUT = 127;
    private static final double SMALLEST_SHARE = 1e-3;
    private static final double SMALLEST_WEIGHT = 1e-5;

    private final OnnxGraph graph;
    private final WeightSource source;
    private final GraphWeights weights;
    private final QuantizedWeights file;
    private final int largestWeight;
    private final Map<LinearSite, float[]> magnitudes;
    private final String one;
    private final String zeroPoint;
    private final String largestInput;
    private final String smallestMagnitude;
    private final Map<String, QuantizedInput> inputs = new HashMap<>();

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record QuantizedInput(String bytes, String largest, float[] divisors) {}

    Int8Linear(OnnxGraph graph, WeightSource source, GraphWeights weights, QuantizedWeights file) {
        this.graph = graph;
        this.source = source;
        this.weights = weights;
        this.file = file;
        Quantization quantization = file.quantization();
        this.largestWeight = (1 << (quantization.weightBits() - 1)) - 1;
        this.magnitudes = quantization.inputMagnitudes();
        this.one = graph.floats("int8_one", new float[] {1});
        this.zeroPoint = graph.inline("int8_zero_point", DataType.UINT8, new byte[] {(byte) ZERO_POINT}, List.of());
        this.largestInput = graph.floats("int8_largest_input", new float[] {LARGEST_INPUT});
        this.smallestMagnitude = graph.floats("int8_smallest_magnitude", new float[] {1e-28f});
    }

    @Override
    public String apply(String x, WeightRole weight, Optional<WeightRole> bias, int index) {
        QuantizedInput input = inputs.computeIfAbsent(x, name -> quantize(name, weight, index));
        WeightTensor tensor = source.get(weight, index);
        int out = tensor.shape().get(0);
        int in = tensor.shape().get(1);
        float[] values = WeightReader.read(tensor);
        float[] scales = new float[out];
        byte[] bytes = new byte[values.length]; // [in, out]
        IntStream.range(0, out).parallel().forEach(o -> scales[o] = quantize(values, o, input.divisors(), bytes, out));
        FileRegion stored = new FileRegion(file.file(), file.append(bytes), bytes.length);
        String name = weight + "_" + index;
        float[] outDivisors = outputDivisors(weight, index, out);
        for (int o = 0; o < out; o++) {
            scales[o] /= LARGEST_INPUT * outDivisors[o];
        }
        String product = graph.nodeIn(
                OnnxGraph.MICROSOFT,
                "MatMulIntegerToFloat",
                List.of(
                        input.bytes(),
                        weights.external(name + "_bytes", DataType.INT8, List.of(in, out), stored),
                        one,
                        graph.floats(name + "_scales", scales, out),
                        zeroPoint));
        String scaled = graph.node("Mul", List.of(product, input.largest()));
        return bias.map(role -> graph.node("Add", List.of(scaled, bias(role, index, outDivisors))))
                .orElse(scaled);
    }

    /** Writes an output's weights, row o of [out, in], into column o of [in, out]; returns their scale. */
    private float quantize(float[] values, int o, float[] divisors, byte[] bytes, int out) {
        int in = divisors.length;
        float largest = 0;
        for (int i = 0; i < in; i++) {
            values[o * in + i] *= divisors[i];
            largest = Math.max(largest, Math.abs(values[o * in + i]));
        }
        float scale = largest == 0 ? 1 : largest / largestWeight;
        for (int i = 0; i < in; i++) {
            bytes[i * out + o] = (byte) Math.round(values[o * in + i] / scale);
        }
        return scale;
    }

    /** [out], divided like the layer's outputs. */
    private String bias(WeightRole bias, int index, float[] outDivisors) {
        float[] values = WeightReader.read(source.get(bias, index));
        for (int o = 0; o < values.length; o++) {
            values[o] /= outDivisors[o];
        }
        return graph.floats(bias + "_" + index, values, values.length);
    }

    /**
     * What each output channel is divided by. The context is a weighted mean of values, so the channels that go into the
     * attention's output are evened out by the layer that makes the values, which costs nothing at run time.
     */
    private float[] outputDivisors(WeightRole weight, int index, int out) {
        if (weight == WeightRole.VALUE && valuesMeetTheOutput(index)) {
            return divisors(WeightRole.ATTENTION_OUTPUT, index);
        }
        float[] none = new float[out];
        Arrays.fill(none, 1);
        return none;
    }

    /** Whether each value goes into one channel of the attention's output; grouped queries share values. */
    private boolean valuesMeetTheOutput(int index) {
        return source.get(WeightRole.VALUE, index)
                .shape()
                .get(0)
                .equals(source.get(WeightRole.ATTENTION_OUTPUT, index).shape().get(1));
    }

    /** [T, in] as bytes, and [T, 1] the magnitudes that 127 stands for. */
    private QuantizedInput quantize(String x, WeightRole weight, int index) {
        float[] divisors = divisors(weight, index);
        boolean alreadyEven = weight == WeightRole.ATTENTION_OUTPUT && valuesMeetTheOutput(index);
        String even = alreadyEven ? x : evened(x, weight + "_" + index, divisors);
        // Two readings take less time than a reading and a writing of magnitudes.
        String negated = graph.node("Neg", List.of(extreme("ReduceMin", even)));
        String largest = graph.node("Max", List.of(extreme("ReduceMax", even), negated, smallestMagnitude));
        // One division a row, not one a number.
        String steps = graph.node("Mul", List.of(even, graph.node("Div", List.of(largestInput, largest))));
        return new QuantizedInput(graph.node("QuantizeLinear", List.of(steps, one, zeroPoint)), largest, divisors);
    }

    /** [T, in] to [T, 1]. */
    private String extreme(String reduction, String x) {
        return graph.node(reduction, List.of(x, graph.int64(-1)), Attribute.of("keepdims", 1));
    }

    private String evened(String x, String name, float[] divisors) {
        float[] factors = new float[divisors.length];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = 1 / divisors[i];
        }
        return graph.node("Mul", List.of(x, graph.floats(name + "_factors", factors, factors.length)));
    }

    /** What each input channel is divided by, the same for all layers that share the input. */
    private float[] divisors(WeightRole weight, int index) {
        float[] channel = magnitudes.get(new LinearSite(weight, index));
        if (channel == null) {
            throw new IllegalStateException("No samples were seen at " + weight + " of layer " + index + ".");
        }
        float[] weightMaxima = new float[channel.length];
        for (WeightRole role : sharingInput(weight)) {
            source.find(role, index).ifPresent(tensor -> {
                float[] values = WeightReader.read(tensor);
                for (int i = 0; i < values.length; i++) {
                    int in = i % channel.length;
                    weightMaxima[in] = Math.max(weightMaxima[in], Math.abs(values[i]));
                }
            });
        }
        float largestChannel = 0;
        for (float magnitude : channel) {
            largestChannel = Math.max(largestChannel, magnitude);
        }
        float[] divisors = new float[channel.length];
        for (int i = 0; i < divisors.length; i++) {
            // A channel that the samples left silent may speak up later: it keeps a share of the range.
            double magnitude = Math.max(channel[i], SMALLEST_SHARE * largestChannel);
            double divisor = Math.sqrt(magnitude / Math.max(weightMaxima[i], SMALLEST_WEIGHT));
            divisors[i] = divisor > 0 ? (float) divisor : 1;
        }
        return divisors;
    }

    private static List<WeightRole> sharingInput(WeightRole weight) {
        return switch (weight) {
            case QUERY, KEY, VALUE -> List.of(WeightRole.QUERY, WeightRole.KEY, WeightRole.VALUE);
            case FEED_FORWARD_GATE, FEED_FORWARD_UP ->
                List.of(WeightRole.FEED_FORWARD_GATE, WeightRole.FEED_FORWARD_UP);
            default -> List.of(weight);
        };
    }
}
