// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * BERT (<a href="https://arxiv.org/abs/1810.04805">arXiv 1810.04805</a>): post LayerNorm, learned positions, two token
 * types. Names and defaults as in transformers' {@code BertModel} and {@code BertConfig}.
 */
final class BertFamily implements ModelFamily {

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.POSITION_EMBEDDING, "embeddings.position_embeddings.weight"),
            entry(WeightRole.TYPE_EMBEDDING, "embeddings.token_type_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "embeddings.LayerNorm.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "embeddings.LayerNorm.bias"),
            entry(WeightRole.QUERY, "encoder.layer.%d.attention.self.query.weight"),
            entry(WeightRole.QUERY_BIAS, "encoder.layer.%d.attention.self.query.bias"),
            entry(WeightRole.KEY, "encoder.layer.%d.attention.self.key.weight"),
            entry(WeightRole.KEY_BIAS, "encoder.layer.%d.attention.self.key.bias"),
            entry(WeightRole.VALUE, "encoder.layer.%d.attention.self.value.weight"),
            entry(WeightRole.VALUE_BIAS, "encoder.layer.%d.attention.self.value.bias"),
            entry(WeightRole.ATTENTION_OUTPUT, "encoder.layer.%d.attention.output.dense.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, "encoder.layer.%d.attention.output.dense.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, "encoder.layer.%d.attention.output.LayerNorm.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, "encoder.layer.%d.attention.output.LayerNorm.bias"),
            entry(WeightRole.FEED_FORWARD_UP, "encoder.layer.%d.intermediate.dense.weight"),
            entry(WeightRole.FEED_FORWARD_UP_BIAS, "encoder.layer.%d.intermediate.dense.bias"),
            entry(WeightRole.FEED_FORWARD_DOWN, "encoder.layer.%d.output.dense.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, "encoder.layer.%d.output.dense.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, "encoder.layer.%d.output.LayerNorm.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, "encoder.layer.%d.output.LayerNorm.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("bert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        String positions = config.optionalString("position_embedding_type").orElse("absolute");
        if (!positions.equals("absolute")) {
            throw new UnsupportedModelException(config.source() + ": \"position_embedding_type\": \"" + positions
                    + "\" is not supported; absolute is.");
        }
        if (config.booleanValue("is_decoder", false)) {
            throw new UnsupportedModelException(
                    config.source() + ": \"is_decoder\": true is not supported; BERT encoders are.");
        }
        int hiddenSize = config.intValue("hidden_size");
        int heads = config.intValue("num_attention_heads");
        if (heads < 1 || hiddenSize % heads != 0) {
            throw new UnsupportedModelException(config.source() + ": \"hidden_size\" " + hiddenSize
                    + " is not a multiple of \"num_attention_heads\" " + heads + ".");
        }
        NormSpec norm = NormSpec.layerNorm(config.doubleValue("layer_norm_eps", 1e-12), true);
        LayerSpec layer = new LayerSpec(
                AttentionSpec.bidirectional(heads, hiddenSize / heads, true),
                new FeedForwardSpec(
                        config.intValue("intermediate_size"),
                        HuggingFaceActivations.read(config, "hidden_act", "gelu"),
                        false,
                        true,
                        true),
                LayerSpec.NormPlacement.POST,
                norm,
                true);
        EmbeddingSpec embedding = new EmbeddingSpec(
                config.intValue("vocab_size"),
                hiddenSize,
                config.intValue("type_vocab_size", 2),
                new EmbeddingSpec.LearnedPositions(config.intValue("max_position_embeddings"), 0),
                1,
                Optional.of(norm));
        return new EncoderSpec(
                hiddenSize,
                embedding,
                Collections.nCopies(config.intBetween("num_hidden_layers", 1, MAX_LAYERS), layer),
                Optional.empty(),
                pooling,
                head,
                false);
    }

    @Override
    public Optional<String> parameterName(WeightRole role, int layer) {
        return Optional.ofNullable(NAMES.get(role)).map(name -> name.replace("%d", Integer.toString(layer)));
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "bert.");
    }
}
