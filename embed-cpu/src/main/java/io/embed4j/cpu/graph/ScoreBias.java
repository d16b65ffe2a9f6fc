// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.AttentionBias;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.WeightRole;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * What attention adds to scores because of the distance between query and key: a learned number, ALiBi's slope, or so much
 * that the key is not seen (causal attention, windows).
 *
 * <p>All of it is one table by distance, [A or 1, 2M - 1] for texts of up to M tokens, from which a batch picks its
 * [1, A or 1, S, S]; layers of the same kind share it.
 */
final class ScoreBias {
    /** Far below every score, and no overflow when padding is masked on top. */
    private static final float UNSEEN = -1e30f;

    private final OnnxGraph graph;
    private final GraphWeights weights;
    private final int longest;
    private final Map<Kind, String> byKind = new HashMap<>();

    private record Kind(AttentionBias bias, boolean causal, OptionalInt windowDistance) {
        static Kind of(AttentionSpec attention) {
            return new Kind(attention.bias(), attention.causal(), attention.windowDistance());
        }

        boolean isPlain() {
            return bias instanceof AttentionBias.None && !masks();
        }

        boolean masks() {
            return causal || windowDistance.isPresent();
        }

        boolean sees(int distance) {
            return !(causal && distance > 0) && Math.abs(distance) <= windowDistance.orElse(Integer.MAX_VALUE);
        }
    }

    /**
     * Begins with no tables.
     *
     * @param longest longest text in tokens
     */
    ScoreBias(OnnxGraph graph, GraphWeights weights, int longest) {
        this.graph = graph;
        this.weights = weights;
        this.longest = longest;
    }

    /** Whether a layer's scores depend on distances. */
    static boolean dependsOnDistance(AttentionSpec attention) {
        return !Kind.of(attention).isPlain();
    }

    /** [1, A or 1, S, S] for a layer; "" for nothing. */
    String of(AttentionSpec attention) {
        Kind kind = Kind.of(attention);
        return kind.isPlain() ? "" : byKind.computeIfAbsent(kind, this::gather);
    }

    private String gather(Kind kind) {
        String pairs = graph.node("Gather", List.of(byDistance(kind), EncoderGraph.DISTANCES), Attribute.of("axis", 1));
        return graph.node("Unsqueeze", List.of(pairs, graph.int64(0)));
    }

    /** [A or 1, 2M - 1]. */
    private String byDistance(Kind kind) {
        if (kind.bias() instanceof AttentionBias.RelativeBuckets relative) {
            String learned = learned(relative);
            return kind.masks() ? graph.node("Add", List.of(learned, constant(kind, List.of(0.0)))) : learned;
        }
        return constant(kind, kind.bias() instanceof AttentionBias.Alibi alibi ? alibi.slopes() : List.of(0.0));
    }

    /** The learned number of each bucket, spread over all distances once at load. */
    private String learned(AttentionBias.RelativeBuckets relative) {
        long[] buckets = IntStream.range(1 - longest, longest)
                .mapToLong(relative::bucket)
                .toArray();
        String byBucket = weights.tensor(WeightRole.RELATIVE_BIAS, 0);
        String byDistance = graph.node("Gather", List.of(byBucket, graph.int64(buckets)), Attribute.of("axis", 0));
        return graph.node("Transpose", List.of(byDistance), Attribute.of("perm", List.of(1L, 0L)));
    }

    private String constant(Kind kind, List<Double> slopes) {
        int distances = 2 * longest - 1;
        float[] table = new float[slopes.size() * distances];
        for (int head = 0; head < slopes.size(); head++) {
            for (int i = 0; i < distances; i++) {
                int distance = i - longest + 1;
                table[head * distances + i] =
                        kind.sees(distance) ? (float) (-slopes.get(head) * Math.abs(distance)) : UNSEEN;
            }
        }
        return graph.floats("by_distance_" + byKind.size(), table, slopes.size(), distances);
    }
}
