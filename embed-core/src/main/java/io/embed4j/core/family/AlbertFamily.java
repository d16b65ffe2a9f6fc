// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.UnsupportedModelException;
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
 * ALBERT (<a href="https://arxiv.org/abs/1909.11942">arXiv 1909.11942</a>): BERT with narrow tables, a projection to the
 * layers' width, and one layer's weights for all layers: names without a layer's number.
 */
final class AlbertFamily implements ModelFamily {
    private static final String LAYER = "encoder.albert_layer_groups.0.albert_layers.0.";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.POSITION_EMBEDDING, "embeddings.position_embeddings.weight"),
            entry(WeightRole.TYPE_EMBEDDING, "embeddings.token_type_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "embeddings.LayerNorm.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "embeddings.LayerNorm.bias"),
            entry(WeightRole.EMBEDDING_PROJECTION, "encoder.embedding_hidden_mapping_in.weight"),
            entry(WeightRole.EMBEDDING_PROJECTION_BIAS, "encoder.embedding_hidden_mapping_in.bias"),
            entry(WeightRole.QUERY, LAYER + "attention.query.weight"),
            entry(WeightRole.QUERY_BIAS, LAYER + "attention.query.bias"),
            entry(WeightRole.KEY, LAYER + "attention.key.weight"),
            entry(WeightRole.KEY_BIAS, LAYER + "attention.key.bias"),
            entry(WeightRole.VALUE, LAYER + "attention.value.weight"),
            entry(WeightRole.VALUE_BIAS, LAYER + "attention.value.bias"),
            entry(WeightRole.ATTENTION_OUTPUT, LAYER + "attention.dense.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, LAYER + "attention.dense.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, LAYER + "attention.LayerNorm.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, LAYER + "attention.LayerNorm.bias"),
            entry(WeightRole.FEED_FORWARD_UP, LAYER + "ffn.weight"),
            entry(WeightRole.FEED_FORWARD_UP_BIAS, LAYER + "ffn.bias"),
            entry(WeightRole.FEED_FORWARD_DOWN, LAYER + "ffn_output.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, LAYER + "ffn_output.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, LAYER + "full_layer_layer_norm.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, LAYER + "full_layer_layer_norm.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("albert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        config.require("position_embedding_type", "absolute");
        config.require("num_hidden_groups", 1);
        config.require("inner_group_num", 1);
        int hiddenSize = config.intValue("hidden_size");
        PostNormEncoder encoder = new PostNormEncoder(
                hiddenSize,
                config.intBetween("num_hidden_layers", 1, MAX_LAYERS),
                PostNormEncoder.attention(config, hiddenSize, config.intValue("num_attention_heads"), true),
                new FeedForwardSpec(
                        config.intValue("intermediate_size"),
                        HuggingFaceActivations.read(config, "hidden_act", "gelu_new"),
                        false,
                        true,
                        true),
                config.doubleValue("layer_norm_eps", 1e-12));
        int embeddingSize = config.intValue("embedding_size", 128);
        if (embeddingSize == hiddenSize) {
            // transformers projects even then; no published model does.
            throw new UnsupportedModelException(config.source() + ": \"embedding_size\": " + embeddingSize
                    + " is not supported where it equals \"hidden_size\".");
        }
        return encoder.spec(
                config.intValue("vocab_size"),
                embeddingSize,
                config.intValue("type_vocab_size", 2),
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
        return List.of("", "albert.");
    }
}
