// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.spec.WeightRole;
import java.util.Map;

/** Parameter names of transformers' {@code BertModel}, which RoBERTa and its relatives share. */
final class BertNames {
    static final Map<WeightRole, String> BY_ROLE = Map.ofEntries(
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

    private BertNames() {}
}
