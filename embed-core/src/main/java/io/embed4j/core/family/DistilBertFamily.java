// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * DistilBERT (<a href="https://arxiv.org/abs/1910.01108">arXiv 1910.01108</a>): BERT without token types, under names of
 * its own. The epsilon of its norms stands in transformers' code, not in the configuration.
 */
final class DistilBertFamily implements ModelFamily {
    private static final double EPSILON = 1e-12;

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.POSITION_EMBEDDING, "embeddings.position_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "embeddings.LayerNorm.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "embeddings.LayerNorm.bias"),
            entry(WeightRole.QUERY, "transformer.layer.%d.attention.q_lin.weight"),
            entry(WeightRole.QUERY_BIAS, "transformer.layer.%d.attention.q_lin.bias"),
            entry(WeightRole.KEY, "transformer.layer.%d.attention.k_lin.weight"),
            entry(WeightRole.KEY_BIAS, "transformer.layer.%d.attention.k_lin.bias"),
            entry(WeightRole.VALUE, "transformer.layer.%d.attention.v_lin.weight"),
            entry(WeightRole.VALUE_BIAS, "transformer.layer.%d.attention.v_lin.bias"),
            entry(WeightRole.ATTENTION_OUTPUT, "transformer.layer.%d.attention.out_lin.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, "transformer.layer.%d.attention.out_lin.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, "transformer.layer.%d.sa_layer_norm.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, "transformer.layer.%d.sa_layer_norm.bias"),
            entry(WeightRole.FEED_FORWARD_UP, "transformer.layer.%d.ffn.lin1.weight"),
            entry(WeightRole.FEED_FORWARD_UP_BIAS, "transformer.layer.%d.ffn.lin1.bias"),
            entry(WeightRole.FEED_FORWARD_DOWN, "transformer.layer.%d.ffn.lin2.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, "transformer.layer.%d.ffn.lin2.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, "transformer.layer.%d.output_layer_norm.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, "transformer.layer.%d.output_layer_norm.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("distilbert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        int hiddenSize = config.intValue("dim");
        return new PostNormEncoder(
                        hiddenSize,
                        config.intBetween("n_layers", 1, MAX_LAYERS),
                        PostNormEncoder.attention(config, hiddenSize, config.intValue("n_heads"), true),
                        new FeedForwardSpec(
                                config.intValue("hidden_dim"),
                                HuggingFaceActivations.read(config, "activation", "gelu"),
                                false,
                                true,
                                true),
                        EPSILON)
                .spec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        0,
                        EmbeddingSpec.LearnedPositions.ofEveryToken(config.intValue("max_position_embeddings")),
                        pooling,
                        head);
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return NAMES;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "distilbert.");
    }
}
