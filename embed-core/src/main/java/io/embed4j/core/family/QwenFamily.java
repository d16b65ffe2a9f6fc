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
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Decoders used as encoders: Qwen2 (<a href="https://arxiv.org/abs/2407.10671">arXiv 2407.10671</a>), Qwen3
 * (<a href="https://arxiv.org/abs/2505.09388">arXiv 2505.09388</a>) and Mistral
 * (<a href="https://arxiv.org/abs/2310.06825">arXiv 2310.06825</a>). RMSNorm before the blocks and behind the last layer,
 * rotary positions, grouped-query attention, SwiGLU. Attention is causal, unless {@code is_causal} says otherwise, as
 * transformers reads it. They differ in where biases and norms of heads are, and Mistral may have a window.
 * EuroBERT (<a href="https://arxiv.org/abs/2503.05500">arXiv 2503.05500</a>) has their layers, made to see the whole text.
 * Texts stand in the batch without padding, so no side is padded here.
 */
final class QwenFamily implements ModelFamily {
    /** The one that is no decoder any more. */
    private static final String EUROBERT = "eurobert";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embed_tokens.weight"),
            entry(WeightRole.QUERY, "layers.%d.self_attn.q_proj.weight"),
            entry(WeightRole.QUERY_BIAS, "layers.%d.self_attn.q_proj.bias"),
            entry(WeightRole.KEY, "layers.%d.self_attn.k_proj.weight"),
            entry(WeightRole.KEY_BIAS, "layers.%d.self_attn.k_proj.bias"),
            entry(WeightRole.VALUE, "layers.%d.self_attn.v_proj.weight"),
            entry(WeightRole.VALUE_BIAS, "layers.%d.self_attn.v_proj.bias"),
            entry(WeightRole.QUERY_NORM_GAIN, "layers.%d.self_attn.q_norm.weight"),
            entry(WeightRole.KEY_NORM_GAIN, "layers.%d.self_attn.k_norm.weight"),
            entry(WeightRole.ATTENTION_OUTPUT, "layers.%d.self_attn.o_proj.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, "layers.%d.self_attn.o_proj.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, "layers.%d.input_layernorm.weight"),
            entry(WeightRole.FEED_FORWARD_GATE, "layers.%d.mlp.gate_proj.weight"),
            entry(WeightRole.FEED_FORWARD_GATE_BIAS, "layers.%d.mlp.gate_proj.bias"),
            entry(WeightRole.FEED_FORWARD_UP, "layers.%d.mlp.up_proj.weight"),
            entry(WeightRole.FEED_FORWARD_UP_BIAS, "layers.%d.mlp.up_proj.bias"),
            entry(WeightRole.FEED_FORWARD_DOWN, "layers.%d.mlp.down_proj.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, "layers.%d.mlp.down_proj.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, "layers.%d.post_attention_layernorm.weight"),
            entry(WeightRole.FINAL_NORM_GAIN, "norm.weight"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("qwen2", "qwen3", "mistral", EUROBERT);
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        String type = config.stringValue("model_type");
        boolean bothWays = type.equals(EUROBERT);
        int hiddenSize = config.intValue("hidden_size");
        int heads = config.intBetween("num_attention_heads", 1, hiddenSize);
        int headSize = config.intValue("head_dim", type.equals("qwen3") ? 128 : hiddenSize / heads);
        NormSpec norm = NormSpec.rmsNorm(config.doubleValue("rms_norm_eps", bothWays ? 1e-5 : 1e-6));
        boolean biases = (type.equals("qwen3") || bothWays) && config.booleanValue("attention_bias", false);
        RotarySpec rotary = RotaryConfig.read(config, headSize, 10_000);
        AttentionSpec plain = AttentionSpec.bidirectional(heads, headSize, false)
                .withKeyValueHeads(config.intValue("num_key_value_heads", type.equals("mistral") ? 8 : heads))
                .withBiases(type.equals("qwen2") || biases, biases)
                .withCausal(config.booleanValue("is_causal", !bothWays))
                .withWindow(window(config, type))
                .withRotary(rotary);
        AttentionSpec attention = type.equals("qwen3") ? plain.withQueryKeyNorm(norm) : plain;
        boolean feedForwardBiases = bothWays && config.booleanValue("mlp_bias", false);
        FeedForwardSpec feedForward = new FeedForwardSpec(
                config.intValue("intermediate_size"),
                HuggingFaceActivations.read(config, "hidden_act", "silu"),
                true,
                feedForwardBiases,
                feedForwardBiases);
        LayerSpec layer = new LayerSpec(attention, feedForward, LayerSpec.NormPlacement.PRE, norm, true);
        return new EncoderSpec(
                hiddenSize,
                new EmbeddingSpec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        0,
                        RotaryConfig.positions(rotary, config.intValue("max_position_embeddings")),
                        1,
                        Optional.empty()),
                Collections.nCopies(config.intBetween("num_hidden_layers", 1, MAX_LAYERS), layer),
                Optional.of(norm),
                pooling,
                head,
                false);
    }

    /** Mistral's window has the token itself in it; Qwen's are switched off in every published embedding model. */
    private static OptionalInt window(JsonConfig config, String type) {
        if (type.equals("mistral")) {
            config.require("is_causal", true);
            // A key that is absent stands for 4096, null for none: MistralConfig's default.
            int window = config.isNull("sliding_window") ? 0 : config.intValue("sliding_window", 4096);
            return window > 0 ? OptionalInt.of(window - 1) : OptionalInt.empty();
        }
        if (type.equals(EUROBERT)) {
            config.require("is_causal", false);
        }
        config.require("use_sliding_window", false);
        config.has("sliding_window"); // Published files have it, switched off.
        for (String layerType : config.strings("layer_types")) {
            if (!layerType.equals("full_attention")) {
                throw config.notSupported("layer_types", "full_attention is.");
            }
        }
        return OptionalInt.empty();
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
