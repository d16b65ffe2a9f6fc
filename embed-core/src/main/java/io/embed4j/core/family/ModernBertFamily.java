// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * ModernBERT (<a href="https://arxiv.org/abs/2412.13663">arXiv 2412.13663</a>): norms before the blocks (none before the
 * first attention, where the embeddings' norm stands already) and behind the last layer, rotary positions, a gated
 * feed-forward block, and windows in all layers but every third, with a theta of their own.
 */
final class ModernBertFamily implements ModelFamily {
    private static final String GLOBAL = "full_attention";
    private static final String LOCAL = "sliding_attention";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.tok_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "embeddings.norm.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "embeddings.norm.bias"),
            entry(WeightRole.QUERY, "layers.%d.attn.Wqkv.weight[0/3]"),
            entry(WeightRole.QUERY_BIAS, "layers.%d.attn.Wqkv.bias[0/3]"),
            entry(WeightRole.KEY, "layers.%d.attn.Wqkv.weight[1/3]"),
            entry(WeightRole.KEY_BIAS, "layers.%d.attn.Wqkv.bias[1/3]"),
            entry(WeightRole.VALUE, "layers.%d.attn.Wqkv.weight[2/3]"),
            entry(WeightRole.VALUE_BIAS, "layers.%d.attn.Wqkv.bias[2/3]"),
            entry(WeightRole.ATTENTION_OUTPUT, "layers.%d.attn.Wo.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, "layers.%d.attn.Wo.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, "layers.%d.attn_norm.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, "layers.%d.attn_norm.bias"),
            entry(WeightRole.FEED_FORWARD_GATE, "layers.%d.mlp.Wi.weight[0/2]"),
            entry(WeightRole.FEED_FORWARD_GATE_BIAS, "layers.%d.mlp.Wi.bias[0/2]"),
            entry(WeightRole.FEED_FORWARD_UP, "layers.%d.mlp.Wi.weight[1/2]"),
            entry(WeightRole.FEED_FORWARD_UP_BIAS, "layers.%d.mlp.Wi.bias[1/2]"),
            entry(WeightRole.FEED_FORWARD_DOWN, "layers.%d.mlp.Wo.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, "layers.%d.mlp.Wo.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, "layers.%d.mlp_norm.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, "layers.%d.mlp_norm.bias"),
            entry(WeightRole.FINAL_NORM_GAIN, "final_norm.weight"),
            entry(WeightRole.FINAL_NORM_BIAS, "final_norm.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("modernbert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        // Published files have these from BERT's configuration; transformers' code reads neither.
        config.require("position_embedding_type", "absolute");
        config.has("layer_norm_eps");
        int hiddenSize = config.intValue("hidden_size");
        NormSpec norm =
                NormSpec.layerNorm(config.doubleValue("norm_eps", 1e-5), config.booleanValue("norm_bias", false));
        boolean feedForwardBias = config.booleanValue("mlp_bias", false);
        FeedForwardSpec feedForward = new FeedForwardSpec(
                config.intValue("intermediate_size"),
                HuggingFaceActivations.read(config, "hidden_activation", "gelu"),
                true,
                feedForwardBias,
                feedForwardBias);
        AttentionSpec plain = PostNormEncoder.attention(
                config,
                hiddenSize,
                config.intValue("num_attention_heads"),
                config.booleanValue("attention_bias", false));
        int headSize = plain.headSize();
        AttentionSpec global = plain.withRotary(
                RotaryConfig.read(config, GLOBAL, "global_rope_theta", Optional.empty(), headSize, 160_000));
        AttentionSpec local = plain.withWindow(OptionalInt.of(config.intValue("local_attention", 128) / 2))
                .withRotary(RotaryConfig.read(config, LOCAL, "local_rope_theta", Optional.empty(), headSize, 10_000));
        int layerCount = config.intBetween("num_hidden_layers", 1, MAX_LAYERS);
        int every = Math.max(1, config.intValue("global_attn_every_n_layers", 3));
        List<LayerSpec> layers = new ArrayList<>();
        for (String type : LayerTypes.read(config, layerCount, GLOBAL, LOCAL, layer -> layer % every == 0)) {
            layers.add(new LayerSpec(
                    type.equals(GLOBAL) ? global : local,
                    feedForward,
                    LayerSpec.NormPlacement.PRE,
                    norm,
                    !layers.isEmpty()));
        }
        return new EncoderSpec(
                hiddenSize,
                new EmbeddingSpec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        0,
                        new EmbeddingSpec.PositionsInAttention(config.intValue("max_position_embeddings", 8192)),
                        1,
                        Optional.of(norm)),
                layers,
                Optional.of(norm),
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
        return List.of("", "model.");
    }
}
