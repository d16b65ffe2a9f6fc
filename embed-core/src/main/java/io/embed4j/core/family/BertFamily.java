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
 * BERT (<a href="https://arxiv.org/abs/1810.04805">arXiv 1810.04805</a>): post LayerNorm, learned positions, two token
 * types. Names and defaults as in transformers' {@code BertModel} and {@code BertConfig}.
 */
final class BertFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("bert");
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
                        EmbeddingSpec.LearnedPositions.ofEveryToken(config.intValue("max_position_embeddings")),
                        pooling,
                        head);
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return BertNames.BY_ROLE;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "bert.");
    }
}
