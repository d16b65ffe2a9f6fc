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
 * Gemma 3's text model (<a href="https://arxiv.org/abs/2503.19786">arXiv 2503.19786</a>) as EmbeddingGemma uses it
 * (<a href="https://arxiv.org/abs/2509.20354">arXiv 2509.20354</a>): seeing the whole text, with windows in most layers and a
 * theta of their own. RMSNorm with gains less 1 stands before and behind every block, and on every query and key; token
 * vectors are multiplied by the root of the hidden size.
 */
final class Gemma3Family implements ModelFamily {
    private static final String GLOBAL = "full_attention";
    private static final String LOCAL = "sliding_attention";
    private static final String LAYER = "layers.%d.";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embed_tokens.weight"),
            entry(WeightRole.QUERY, LAYER + "self_attn.q_proj.weight"),
            entry(WeightRole.QUERY_BIAS, LAYER + "self_attn.q_proj.bias"),
            entry(WeightRole.KEY, LAYER + "self_attn.k_proj.weight"),
            entry(WeightRole.KEY_BIAS, LAYER + "self_attn.k_proj.bias"),
            entry(WeightRole.VALUE, LAYER + "self_attn.v_proj.weight"),
            entry(WeightRole.VALUE_BIAS, LAYER + "self_attn.v_proj.bias"),
            entry(WeightRole.QUERY_NORM_GAIN, LAYER + "self_attn.q_norm.weight"),
            entry(WeightRole.KEY_NORM_GAIN, LAYER + "self_attn.k_norm.weight"),
            entry(WeightRole.ATTENTION_OUTPUT, LAYER + "self_attn.o_proj.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, LAYER + "self_attn.o_proj.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, LAYER + "input_layernorm.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_NORM_GAIN, LAYER + "post_attention_layernorm.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, LAYER + "pre_feedforward_layernorm.weight"),
            entry(WeightRole.FEED_FORWARD_OUTPUT_NORM_GAIN, LAYER + "post_feedforward_layernorm.weight"),
            entry(WeightRole.FEED_FORWARD_GATE, LAYER + "mlp.gate_proj.weight"),
            entry(WeightRole.FEED_FORWARD_UP, LAYER + "mlp.up_proj.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN, LAYER + "mlp.down_proj.weight"),
            entry(WeightRole.FINAL_NORM_GAIN, "norm.weight"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("gemma3_text");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        if (config.has("attn_logit_softcapping")) {
            throw config.notSupported("attn_logit_softcapping", "null is.");
        }
        int hiddenSize = config.intValue("hidden_size");
        NormSpec norm = new NormSpec(NormSpec.Kind.RMS_NORM, config.doubleValue("rms_norm_eps", 1e-6), false, 1);
        boolean biases = config.booleanValue("attention_bias", false);
        boolean causal = !config.booleanValue("use_bidirectional_attention", false);
        int headSize = config.intValue("head_dim", 256);
        AttentionSpec global = AttentionSpec.bidirectional(config.intValue("num_attention_heads"), headSize, biases)
                .withKeyValueHeads(config.intValue("num_key_value_heads", 4))
                .withScale(1 / Math.sqrt(config.doubleValue("query_pre_attn_scalar", 256)))
                .withCausal(causal)
                .withQueryKeyNorm(norm)
                .withRotary(RotaryConfig.read(
                        config, GLOBAL, "rope_theta", Optional.of("rope_scaling"), headSize, 1_000_000));
        AttentionSpec local = global.withWindow(OptionalInt.of(windowDistance(config, causal)))
                .withRotary(
                        RotaryConfig.read(config, LOCAL, "rope_local_base_freq", Optional.empty(), headSize, 10_000));
        FeedForwardSpec feedForward = new FeedForwardSpec(
                config.intValue("intermediate_size"),
                HuggingFaceActivations.read(config, "hidden_activation", "gelu_pytorch_tanh"),
                true,
                false,
                false);
        int layerCount = config.intBetween("num_hidden_layers", 1, MAX_LAYERS);
        int pattern =
                Math.max(1, config.intValue("_sliding_window_pattern", config.intValue("sliding_window_pattern", 6)));
        List<LayerSpec> layers = new ArrayList<>();
        for (String type : LayerTypes.read(config, layerCount, GLOBAL, LOCAL, i -> (i + 1) % pattern == 0)) {
            layers.add(new LayerSpec(
                    type.equals(GLOBAL) ? global : local,
                    feedForward,
                    LayerSpec.NormPlacement.PRE_AND_POST,
                    norm,
                    true));
        }
        return new EncoderSpec(
                hiddenSize,
                new EmbeddingSpec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        0,
                        new EmbeddingSpec.PositionsInAttention(config.intValue("max_position_embeddings", 131_072)),
                        (float) Math.sqrt(hiddenSize),
                        Optional.empty()),
                layers,
                Optional.of(norm),
                pooling,
                head,
                true);
    }

    /** A decoder's window has the token itself in it; in both directions half of it lies on each side. */
    private static int windowDistance(JsonConfig config, boolean causal) {
        int window = config.intBetween("sliding_window", 1, Integer.MAX_VALUE);
        return causal ? window - 1 : window / 2;
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
