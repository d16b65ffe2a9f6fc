// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.AttentionBias;
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
import java.util.OptionalInt;
import java.util.Set;

/**
 * NomicBERT (<a href="https://arxiv.org/abs/2402.01613">arXiv 2402.01613</a>): BERT with rotary positions and a gated
 * feed-forward block, without biases. Weights have the names of the remote code, under which transformers 5 saves them too;
 * config.json is read as transformers 5 writes it. The remote code's ({@code n_embd}) is refused: it has no
 * {@code hidden_size}.
 */
final class NomicBertFamily implements ModelFamily {
    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.TYPE_EMBEDDING, "embeddings.token_type_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "emb_ln.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "emb_ln.bias"),
            entry(WeightRole.QUERY, "encoder.layers.%d.attn.Wqkv.weight[0/3]"),
            entry(WeightRole.KEY, "encoder.layers.%d.attn.Wqkv.weight[1/3]"),
            entry(WeightRole.VALUE, "encoder.layers.%d.attn.Wqkv.weight[2/3]"),
            entry(WeightRole.ATTENTION_OUTPUT, "encoder.layers.%d.attn.out_proj.weight"),
            entry(WeightRole.ATTENTION_NORM_GAIN, "encoder.layers.%d.norm1.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, "encoder.layers.%d.norm1.bias"),
            entry(WeightRole.FEED_FORWARD_GATE, "encoder.layers.%d.mlp.fc12.weight"),
            entry(WeightRole.FEED_FORWARD_UP, "encoder.layers.%d.mlp.fc11.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN, "encoder.layers.%d.mlp.fc2.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, "encoder.layers.%d.norm2.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, "encoder.layers.%d.norm2.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("nomic_bert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        int hiddenSize = config.intValue("hidden_size");
        int heads = config.intBetween("num_attention_heads", 1, hiddenSize);
        int headSize = config.intValue("head_dim", hiddenSize / heads);
        NormSpec norm = NormSpec.layerNorm(config.doubleValue("layer_norm_eps", 1e-12), true);
        AttentionSpec attention = new AttentionSpec(
                heads,
                heads,
                headSize,
                1 / Math.sqrt(headSize),
                false,
                false,
                false,
                OptionalInt.empty(),
                AttentionBias.none(),
                Optional.of(RotaryConfig.read(config, headSize, 1000)),
                Optional.empty(),
                0);
        FeedForwardSpec feedForward = new FeedForwardSpec(
                config.intValue("intermediate_size"),
                HuggingFaceActivations.read(config, "hidden_act", "silu"),
                true,
                false,
                false);
        LayerSpec layer = new LayerSpec(attention, feedForward, LayerSpec.NormPlacement.POST, norm, true);
        return new EncoderSpec(
                hiddenSize,
                new EmbeddingSpec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        config.intValue("type_vocab_size", 2),
                        new EmbeddingSpec.PositionsInAttention(config.intValue("max_position_embeddings", 2048)),
                        1,
                        Optional.of(norm)),
                Collections.nCopies(config.intBetween("num_hidden_layers", 1, MAX_LAYERS), layer),
                Optional.empty(),
                pooling,
                head,
                false);
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return NAMES;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "nomic_bert.", "model.");
    }
}
