// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.fit;

import io.embed4j.FitReport.Throughput;
import io.embed4j.GpuCard;
import io.embed4j.Precision;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.WeightShape;
import java.util.Locale;
import java.util.Optional;

/**
 * How fast a card could be at best: products at its rate, everything else at its bandwidth, one after the other, as
 * kernels run (Williams et al., "Roofline", 2009). Nothing is taken off for launches, for tiles that do not fill the
 * device, or for copies; docs/performance.md says what share to expect.
 *
 * <pre>
 * seconds per token = (2 P + 4 S sum(A * headSize)) / rate + (elementwise + weights / T) / bandwidth
 * </pre>
 *
 * P numbers in the matrices of layers, S tokens of a text, T tokens of a batch; elementwise bytes are what the kernels
 * between products read and write, in 16 bits.
 */
final class Roofline {
    /** As docs/performance.md has it: neither short nor long. */
    private static final int TEXT_TOKENS = 128;

    private static final int HALF = 2;

    private Roofline() {}

    /**
     * Estimates.
     *
     * @return empty where the card's data are not known, and for fp32, whose rate is not in the table
     */
    static Optional<Throughput> estimate(EncoderSpec spec, Precision precision, GpuCard card, int batchTokens) {
        Double rate = card.fp16Rate();
        Double bandwidth = card.bandwidth();
        if (precision == Precision.FP32 || rate == null || bandwidth == null) {
            return Optional.empty();
        }
        int textTokens = Math.min(TEXT_TOKENS, spec.embedding().positions().usablePositions());
        long parameters = spec.weightShapes().stream()
                .filter(Roofline::isLayerMatrix)
                .mapToLong(WeightShape::elements)
                .sum();
        long attended = spec.layers().stream()
                .mapToLong(layer -> layer.attention().projectionSize())
                .sum();
        long operations = 2 * parameters + 4L * textTokens * attended;
        long elementwise = spec.layers().stream()
                        .mapToLong(layer -> elementwiseNumbers(spec.hiddenSize(), layer))
                        .sum()
                * HALF;
        double weightBytes = parameters * bytesPerWeight(precision) / batchTokens;
        double seconds = operations / rate + (elementwise + weightBytes) / bandwidth;
        return Optional.of(new Throughput(
                1 / seconds,
                textTokens,
                String.format(
                        Locale.ROOT,
                        "1 / (operations / rate + bytes / bandwidth) for texts of %d tokens; %s in %s per token: %.1f MFLOP"
                                + " at %.0f TFLOP/s, %.0f KB at %.0f GB/s",
                        textTokens,
                        card.name(),
                        precision,
                        operations / 1e6,
                        rate / 1e12,
                        (elementwise + weightBytes) / 1e3,
                        bandwidth / 1e9)));
    }

    private static boolean isLayerMatrix(WeightShape weight) {
        return weight.role().perLayer() && weight.shape().size() == 2;
    }

    private static double bytesPerWeight(Precision precision) {
        return switch (precision) {
            case INT8 -> 1;
            case INT4 -> 0.5;
            default -> HALF;
        };
    }

    /** Attention, behind a pass over queries and keys where they are rotated or normalized; two norms; the activation. */
    private static long elementwiseNumbers(int hidden, LayerSpec layer) {
        AttentionSpec attention = layer.attention();
        FeedForwardSpec feedForward = layer.feedForward();
        long queries = attention.projectionSize();
        long keys = attention.keyValueProjectionSize();
        boolean prepared =
                attention.rotary().isPresent() || attention.queryKeyNorm().isPresent();
        long preparation = prepared ? 2 * (queries + keys) : 0;
        long attended = queries + 2 * keys + queries;
        long activation = (feedForward.gated() ? 3L : 2L) * feedForward.intermediateSize();
        return preparation + attended + 6L * hidden + activation;
    }
}
