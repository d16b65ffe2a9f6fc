// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.AttentionBias;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * MPNet (<a href="https://arxiv.org/abs/2004.09297">arXiv 2004.09297</a>): BERT without token types, with RoBERTa's
 * positions and one bias by distance for all layers. Its padding token, buckets and largest distance stand in transformers'
 * code, not in the configuration.
 */
final class MpnetFamily implements ModelFamily {
    private static final int MAX_DISTANCE = 128;
    private static final int BUCKETS = 32;
    private static final int PADDING_TOKEN = 1;

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.POSITION_EMBEDDING, "embeddings.position_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "embeddings.LayerNorm.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "embeddings.LayerNorm.bias"),
            entry(WeightRole.RELATIVE_BIAS, "encoder.relative_attention_bias.weight"),
            entry(WeightRole.QUERY, "encoder.layer.%d.attention.attn.q.weight"),
            entry(WeightRole.QUERY_BIAS, "encoder.layer.%d.attention.attn.q.bias"),
            entry(WeightRole.KEY, "encoder.layer.%d.attention.attn.k.weight"),
            entry(WeightRole.KEY_BIAS, "encoder.layer.%d.attention.attn.k.bias"),
            entry(WeightRole.VALUE, "encoder.layer.%d.attention.attn.v.weight"),
            entry(WeightRole.VALUE_BIAS, "encoder.layer.%d.attention.attn.v.bias"),
            entry(WeightRole.ATTENTION_OUTPUT, "encoder.layer.%d.attention.attn.o.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, "encoder.layer.%d.attention.attn.o.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, "encoder.layer.%d.attention.LayerNorm.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, "encoder.layer.%d.attention.LayerNorm.bias"),
            entry(WeightRole.FEED_FORWARD_UP, "encoder.layer.%d.intermediate.dense.weight"),
            entry(WeightRole.FEED_FORWARD_UP_BIAS, "encoder.layer.%d.intermediate.dense.bias"),
            entry(WeightRole.FEED_FORWARD_DOWN, "encoder.layer.%d.output.dense.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, "encoder.layer.%d.output.dense.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, "encoder.layer.%d.output.LayerNorm.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, "encoder.layer.%d.output.LayerNorm.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("mpnet");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        // transformers' code uses 32 whatever the configuration says.
        config.require("relative_attention_num_buckets", BUCKETS);
        PostNormEncoder encoder = PostNormEncoder.read(config, 1e-12);
        AttentionBias bias = new AttentionBias.RelativeBuckets(BUCKETS, MAX_DISTANCE);
        return encoder.with(encoder.attention().withBias(bias))
                .spec(
                        config.intValue("vocab_size"),
                        encoder.hiddenSize(),
                        0,
                        EmbeddingSpec.LearnedPositions.behindPadding(
                                config.intValue("max_position_embeddings"), PADDING_TOKEN),
                        pooling,
                        head);
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return NAMES;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "mpnet.");
    }
}
