// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * RoBERTa (<a href="https://arxiv.org/abs/1907.11692">arXiv 1907.11692</a>), XLM-R and CamemBERT: BERT's layers, with
 * positions that begin behind the padding token's row and pass over padding tokens inside a text.
 */
final class RobertaFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("roberta", "xlm-roberta", "camembert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        PostNormEncoder.require(config, "position_embedding_type", "absolute");
        PostNormEncoder.require(config, "is_decoder", "false");
        return PostNormEncoder.read(config, 1e-12)
                .spec(
                        config,
                        config.intValue("vocab_size"),
                        config.intValue("type_vocab_size", 2),
                        EmbeddingSpec.LearnedPositions.behindPadding(
                                config.intValue("max_position_embeddings"), config.intValue("pad_token_id", 1)),
                        pooling,
                        head);
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return BertNames.BY_ROLE;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "roberta.");
    }
}
