// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * ELECTRA (<a href="https://arxiv.org/abs/2003.10555">arXiv 2003.10555</a>): BERT, whose tables may be narrower than its
 * layers; a projection then stands between them. Names and defaults as in transformers' {@code ElectraModel}.
 */
final class ElectraFamily implements ModelFamily {
    private static final Map<WeightRole, String> NAMES = names();

    @Override
    public Set<String> modelTypes() {
        return Set.of("electra");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        PostNormEncoder.require(config, "position_embedding_type", "absolute");
        PostNormEncoder.require(config, "is_decoder", "false");
        return PostNormEncoder.read(config, 1e-12)
                .spec(
                        config,
                        config.intValue("vocab_size"),
                        config.intValue("embedding_size", 128),
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
        return List.of("", "electra.");
    }

    private static Map<WeightRole, String> names() {
        Map<WeightRole, String> names = new HashMap<>(BertNames.BY_ROLE);
        names.put(WeightRole.EMBEDDING_PROJECTION, "embeddings_project.weight");
        names.put(WeightRole.EMBEDDING_PROJECTION_BIAS, "embeddings_project.bias");
        return Map.copyOf(names);
    }
}
