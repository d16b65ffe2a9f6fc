// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import java.util.ArrayList;
import java.util.List;

/**
 * A weight that an {@link EncoderSpec} needs, with its shape: what loading checks, memory plans sum and parameter
 * counts count.
 *
 * <pre>{@code
 * WeightShape query = new WeightShape(WeightRole.QUERY, 0, List.of(384, 384));
 * if (query.elements() != 147_456) throw new AssertionError();
 * }</pre>
 *
 * @param role what it does
 * @param index the layer, or the head module's place; 0 for roles that exist once
 * @param shape sizes, outermost first; [out, in] for linear layers
 * @since 0.1
 */
public record WeightShape(WeightRole role, int index, List<Integer> shape) {

    /** Copies the shape. */
    public WeightShape {
        shape = List.copyOf(shape);
    }

    /**
     * Returns how many numbers the weight has.
     *
     * @return the product of the shape
     */
    public long elements() {
        return shape.stream().mapToLong(Integer::longValue).reduce(1, Math::multiplyExact);
    }

    /** Every weight that the spec needs, embeddings first, then layer by layer, then the head. */
    static List<WeightShape> of(EncoderSpec spec) {
        Collector weights = new Collector();
        int hidden = spec.hiddenSize();
        EmbeddingSpec embedding = spec.embedding();
        int width = embedding.embeddingSize();
        weights.add(WeightRole.TOKEN_EMBEDDING, embedding.vocabularySize(), width);
        if (embedding.positions() instanceof EmbeddingSpec.LearnedPositions learned) {
            weights.add(WeightRole.POSITION_EMBEDDING, learned.tableRows(), width);
        }
        if (embedding.tokenTypes() > 0) {
            weights.add(WeightRole.TYPE_EMBEDDING, embedding.tokenTypes(), width);
        }
        embedding.norm().ifPresent(norm -> {
            weights.add(WeightRole.EMBEDDING_NORM_GAIN, width);
            weights.addIf(norm.bias(), WeightRole.EMBEDDING_NORM_BIAS, width);
        });
        if (width != hidden) {
            weights.add(WeightRole.EMBEDDING_PROJECTION, hidden, width);
            weights.add(WeightRole.EMBEDDING_PROJECTION_BIAS, hidden);
        }
        AttentionSpec first = spec.layers().get(0).attention();
        if (first.bias() instanceof AttentionBias.RelativeBuckets relative) {
            weights.add(WeightRole.RELATIVE_BIAS, relative.buckets(), first.heads());
        }
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            weights.index = layer;
            weights.addLayer(spec.layers().get(layer), hidden);
        }
        weights.index = 0;
        spec.finalNorm().ifPresent(norm -> {
            weights.add(WeightRole.FINAL_NORM_GAIN, hidden);
            weights.addIf(norm.bias(), WeightRole.FINAL_NORM_BIAS, hidden);
        });
        for (int module = 0; module < spec.head().size(); module++) {
            weights.index = module;
            if (spec.head().get(module) instanceof HeadModule.Dense dense) {
                weights.add(WeightRole.HEAD_DENSE, dense.outputSize(), dense.inputSize());
                weights.addIf(dense.bias(), WeightRole.HEAD_DENSE_BIAS, dense.outputSize());
            } else if (spec.head().get(module) instanceof HeadModule.LayerNorm norm) {
                weights.add(WeightRole.HEAD_NORM_GAIN, norm.size());
                weights.addIf(norm.norm().bias(), WeightRole.HEAD_NORM_BIAS, norm.size());
            }
        }
        return List.copyOf(weights.shapes);
    }

    private static final class Collector {
        private final List<WeightShape> shapes = new ArrayList<>();
        private int index;

        void add(WeightRole role, Integer... shape) {
            shapes.add(new WeightShape(role, index, List.of(shape)));
        }

        void addIf(boolean wanted, WeightRole role, Integer... shape) {
            if (wanted) {
                add(role, shape);
            }
        }

        void addLayer(LayerSpec layer, int hidden) {
            AttentionSpec attention = layer.attention();
            int queries = attention.projectionSize();
            int keys = attention.keyValueProjectionSize();
            boolean inputBias = attention.queryKeyValueBias();
            add(WeightRole.QUERY, queries, hidden);
            addIf(inputBias, WeightRole.QUERY_BIAS, queries);
            add(WeightRole.KEY, keys, hidden);
            addIf(inputBias, WeightRole.KEY_BIAS, keys);
            add(WeightRole.VALUE, keys, hidden);
            addIf(inputBias, WeightRole.VALUE_BIAS, keys);
            addIf(attention.queryKeyNorm().isPresent(), WeightRole.QUERY_NORM_GAIN, attention.headSize());
            addIf(attention.queryKeyNorm().isPresent(), WeightRole.KEY_NORM_GAIN, attention.headSize());
            add(WeightRole.ATTENTION_OUTPUT, hidden, queries);
            addIf(attention.outputBias(), WeightRole.ATTENTION_OUTPUT_BIAS, hidden);

            FeedForwardSpec feedForward = layer.feedForward();
            int width = feedForward.intermediateSize();
            addIf(feedForward.gated(), WeightRole.FEED_FORWARD_GATE, width, hidden);
            addIf(feedForward.gated() && feedForward.inputBias(), WeightRole.FEED_FORWARD_GATE_BIAS, width);
            add(WeightRole.FEED_FORWARD_UP, width, hidden);
            addIf(feedForward.inputBias(), WeightRole.FEED_FORWARD_UP_BIAS, width);
            add(WeightRole.FEED_FORWARD_DOWN, hidden, width);
            addIf(feedForward.outputBias(), WeightRole.FEED_FORWARD_DOWN_BIAS, hidden);

            boolean normBias = layer.norm().bias();
            boolean sandwich = layer.normPlacement() == LayerSpec.NormPlacement.PRE_AND_POST;
            addIf(layer.attentionInputNorm(), WeightRole.ATTENTION_NORM_GAIN, hidden);
            addIf(layer.attentionInputNorm() && normBias, WeightRole.ATTENTION_NORM_BIAS, hidden);
            addIf(sandwich, WeightRole.ATTENTION_OUTPUT_NORM_GAIN, hidden);
            add(WeightRole.FEED_FORWARD_NORM_GAIN, hidden);
            addIf(normBias, WeightRole.FEED_FORWARD_NORM_BIAS, hidden);
            addIf(sandwich, WeightRole.FEED_FORWARD_OUTPUT_NORM_GAIN, hidden);
        }
    }
}
