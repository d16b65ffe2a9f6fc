// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EmbeddingSpec.LearnedPositions;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * BERT (<a href="https://arxiv.org/abs/1810.04805">arXiv 1810.04805</a>) and its namesakes in all but two points. RoBERTa
 * (<a href="https://arxiv.org/abs/1907.11692">arXiv 1907.11692</a>), XLM-R and CamemBERT have positions that begin behind the
 * padding token's row and pass over padding tokens inside a text. ELECTRA (<a
 * href="https://arxiv.org/abs/2003.10555">arXiv 2003.10555</a>) may have tables narrower than its layers; a projection then
 * stands between them. Names and defaults are those of transformers' models and configurations.
 */
final class BertFamily implements ModelFamily {
    private static final Set<String> POSITIONS_BEHIND_PADDING = Set.of("roberta", "xlm-roberta", "camembert");
    private static final String LAYER = "encoder.layer.%d.";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.POSITION_EMBEDDING, "embeddings.position_embeddings.weight"),
            entry(WeightRole.TYPE_EMBEDDING, "embeddings.token_type_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "embeddings.LayerNorm.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "embeddings.LayerNorm.bias"),
            entry(WeightRole.EMBEDDING_PROJECTION, "embeddings_project.weight"),
            entry(WeightRole.EMBEDDING_PROJECTION_BIAS, "embeddings_project.bias"),
            entry(WeightRole.QUERY, LAYER + "attention.self.query.weight"),
            entry(WeightRole.QUERY_BIAS, LAYER + "attention.self.query.bias"),
            entry(WeightRole.KEY, LAYER + "attention.self.key.weight"),
            entry(WeightRole.KEY_BIAS, LAYER + "attention.self.key.bias"),
            entry(WeightRole.VALUE, LAYER + "attention.self.value.weight"),
            entry(WeightRole.VALUE_BIAS, LAYER + "attention.self.value.bias"),
            entry(WeightRole.ATTENTION_OUTPUT, LAYER + "attention.output.dense.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, LAYER + "attention.output.dense.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, LAYER + "attention.output.LayerNorm.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, LAYER + "attention.output.LayerNorm.bias"),
            entry(WeightRole.FEED_FORWARD_UP, LAYER + "intermediate.dense.weight"),
            entry(WeightRole.FEED_FORWARD_UP_BIAS, LAYER + "intermediate.dense.bias"),
            entry(WeightRole.FEED_FORWARD_DOWN, LAYER + "output.dense.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, LAYER + "output.dense.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, LAYER + "output.LayerNorm.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, LAYER + "output.LayerNorm.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("bert", "electra", "roberta", "xlm-roberta", "camembert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        String type = config.stringValue("model_type");
        PostNormEncoder encoder = PostNormEncoder.read(config, 1e-12);
        int tableRows = config.intValue("max_position_embeddings");
        LearnedPositions positions = POSITIONS_BEHIND_PADDING.contains(type)
                ? LearnedPositions.behindPadding(tableRows, config.intValue("pad_token_id", 1))
                : LearnedPositions.ofEveryToken(tableRows);
        int embeddingSize = type.equals("electra") ? config.intValue("embedding_size", 128) : encoder.hiddenSize();
        return encoder.spec(
                config.intValue("vocab_size"),
                embeddingSize,
                config.intValue("type_vocab_size", 2),
                positions,
                pooling,
                head);
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return NAMES;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "bert.", "electra.", "roberta.");
    }
}
