// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.UnsupportedModelException;
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
import io.embed4j.spec.RotarySpec;
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
        int hiddenSize = config.intValue("hidden_size");
        int heads = config.intValue("num_attention_heads");
        if (heads < 1 || hiddenSize % heads != 0) {
            throw new UnsupportedModelException(config.source() + ": the hidden size " + hiddenSize
                    + " is not a multiple of the " + heads + " attention heads.");
        }
        int headSize = hiddenSize / heads;
        NormSpec norm =
                NormSpec.layerNorm(config.doubleValue("norm_eps", 1e-5), config.booleanValue("norm_bias", false));
        boolean feedForwardBias = config.booleanValue("mlp_bias", false);
        FeedForwardSpec feedForward = new FeedForwardSpec(
                config.intValue("intermediate_size"),
                HuggingFaceActivations.read(config, "hidden_activation", "gelu"),
                true,
                feedForwardBias,
                feedForwardBias);
        boolean attentionBias = config.booleanValue("attention_bias", false);
        AttentionSpec global = attention(
                heads,
                headSize,
                attentionBias,
                OptionalInt.empty(),
                RotaryConfig.read(config, GLOBAL, "global_rope_theta", headSize, 160_000));
        AttentionSpec local = attention(
                heads,
                headSize,
                attentionBias,
                OptionalInt.of(config.intValue("local_attention", 128) / 2),
                RotaryConfig.read(config, LOCAL, "local_rope_theta", headSize, 10_000));
        List<LayerSpec> layers = new ArrayList<>();
        for (String type : layerTypes(config)) {
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

    private static AttentionSpec attention(
            int heads, int headSize, boolean biases, OptionalInt windowDistance, RotarySpec rotary) {
        return new AttentionSpec(
                heads,
                heads,
                headSize,
                1 / Math.sqrt(headSize),
                biases,
                biases,
                false,
                windowDistance,
                AttentionBias.none(),
                Optional.of(rotary),
                Optional.empty(),
                0);
    }

    /** One of the two types for each layer. */
    private static List<String> layerTypes(JsonConfig config) {
        int layers = config.intBetween("num_hidden_layers", 1, MAX_LAYERS);
        List<String> types = new ArrayList<>(config.strings("layer_types"));
        if (types.isEmpty()) {
            int every = config.has("global_attn_every_n_layers")
                    ? config.intBetween("global_attn_every_n_layers", 1, MAX_LAYERS)
                    : 3;
            for (int i = 0; i < layers; i++) {
                types.add(i % every == 0 ? GLOBAL : LOCAL);
            }
        }
        if (types.size() != layers || !Set.of(GLOBAL, LOCAL).containsAll(types)) {
            throw new UnsupportedModelException(config.source() + ": \"layer_types\": " + types + " is not supported; "
                    + layers + " of " + GLOBAL + " and " + LOCAL + " are.");
        }
        return types;
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
