// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import java.util.List;

/**
 * What is added to attention scores as a function of the distance between query and key.
 *
 * <pre>{@code
 * AttentionBias t5 = new AttentionBias.RelativeBuckets(32, 128);
 * AttentionBias none = AttentionBias.none();
 * }</pre>
 *
 * @since 0.1
 */
public sealed interface AttentionBias {

    /**
     * No bias.
     *
     * @return the description of attention that knows no distance
     */
    static AttentionBias none() {
        return new None();
    }

    /**
     * Scores as they are.
     *
     * <pre>{@code
     * AttentionBias plain = new AttentionBias.None();
     * }</pre>
     */
    record None() implements AttentionBias {}

    /**
     * A learned number per bucket of distance and head, in {@link WeightRole#RELATIVE_BIAS} [buckets, A], shared by all
     * layers: T5 (<a href="https://arxiv.org/abs/1910.10683">arXiv 1910.10683</a>) and MPNet. Half of the buckets serve
     * each direction; half of those are exact distances, the rest grow logarithmically up to {@code maxDistance}.
     *
     * <pre>{@code
     * int buckets = new AttentionBias.RelativeBuckets(32, 128).buckets();
     * }</pre>
     *
     * @param buckets number of buckets, both directions together
     * @param maxDistance distance in tokens from which on all share the last bucket
     */
    record RelativeBuckets(int buckets, int maxDistance) implements AttentionBias {

        /**
         * Returns the bucket of a distance, as transformers computes it in fp32.
         *
         * @param distance place of the key minus place of the query, in tokens
         * @return 0 to buckets - 1; the upper half is for keys behind the query
         */
        public int bucket(int distance) {
            int half = buckets / 2;
            int direction = distance > 0 ? half : 0;
            int magnitude = Math.abs(distance);
            int exact = half / 2;
            if (magnitude < exact) {
                return direction + magnitude;
            }
            float share = (float) Math.log((float) magnitude / exact) / (float) Math.log((double) maxDistance / exact);
            return direction + Math.min(exact + (int) (share * (half - exact)), half - 1);
        }
    }

    /**
     * Minus slope times distance (<a href="https://arxiv.org/abs/2108.12409">arXiv 2108.12409</a>).
     *
     * <pre>{@code
     * AttentionBias alibi = new AttentionBias.Alibi(List.of(0.5, 0.25));
     * }</pre>
     *
     * @param slopes one per head
     */
    record Alibi(List<Double> slopes) implements AttentionBias {
        /** Copies the list. */
        public Alibi {
            slopes = List.copyOf(slopes);
        }
    }
}
