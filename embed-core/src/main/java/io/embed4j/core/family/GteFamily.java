// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * GTE (<a href="https://arxiv.org/abs/2407.19669">arXiv 2407.19669</a>): BERT with rotary positions and a gated feed-forward
 * block that has a bias behind it only. Read as transformers' {@code GteModel} writes it, and as the model's own code does,
 * which calls its type {@code new}; weights have the names of that code in both.
 */
final class GteFamily implements ModelFamily {
    private static final String OWN_CODE = "new";
    private static final String LAYER = "encoder.layer.%d.";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.TYPE_EMBEDDING, "embeddings.token_type_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "embeddings.LayerNorm.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "embeddings.LayerNorm.bias"),
            entry(WeightRole.QUERY, LAYER + "attention.qkv_proj.weight[0/3]"),
            entry(WeightRole.QUERY_BIAS, LAYER + "attention.qkv_proj.bias[0/3]"),
            entry(WeightRole.KEY, LAYER + "attention.qkv_proj.weight[1/3]"),
            entry(WeightRole.KEY_BIAS, LAYER + "attention.qkv_proj.bias[1/3]"),
            entry(WeightRole.VALUE, LAYER + "attention.qkv_proj.weight[2/3]"),
            entry(WeightRole.VALUE_BIAS, LAYER + "attention.qkv_proj.bias[2/3]"),
            entry(WeightRole.ATTENTION_OUTPUT, LAYER + "attention.o_proj.weight"),
            entry(WeightRole.ATTENTION_OUTPUT_BIAS, LAYER + "attention.o_proj.bias"),
            entry(WeightRole.ATTENTION_NORM_GAIN, LAYER + "attn_ln.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, LAYER + "attn_ln.bias"),
            entry(WeightRole.FEED_FORWARD_UP, LAYER + "mlp.up_gate_proj.weight[0/2]"),
            entry(WeightRole.FEED_FORWARD_GATE, LAYER + "mlp.up_gate_proj.weight[1/2]"),
            entry(WeightRole.FEED_FORWARD_DOWN, LAYER + "mlp.down_proj.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN_BIAS, LAYER + "mlp.down_proj.bias"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, LAYER + "mlp_ln.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, LAYER + "mlp_ln.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("gte", OWN_CODE);
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        boolean ownCode = config.stringValue("model_type").equals(OWN_CODE);
        config.require("position_embedding_type", "rope");
        config.require("layer_norm_type", "layer_norm");
        config.require("pack_qkv", true);
        config.require("logn_attention_scale", false);
        config.require("logn_attention_clip1", false);
        int hiddenSize = config.intValue("hidden_size");
        AttentionSpec attention =
                PostNormEncoder.attention(config, hiddenSize, config.intValue("num_attention_heads"), true);
        RotarySpec rotary = ownCode
                ? rotaryOfOwnCode(config, attention.headSize())
                : RotaryConfig.read(config, attention.headSize(), 160_000);
        return new PostNormEncoder(
                        hiddenSize,
                        config.intBetween("num_hidden_layers", 1, MAX_LAYERS),
                        attention.withRotary(rotary),
                        new FeedForwardSpec(
                                config.intValue("intermediate_size"),
                                HuggingFaceActivations.read(config, "hidden_act", "gelu"),
                                true,
                                false,
                                true),
                        config.doubleValue("layer_norm_eps", 1e-12))
                .spec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        config.intValue("type_vocab_size", 1),
                        RotaryConfig.positions(rotary, config.intValue("max_position_embeddings", 8192)),
                        pooling,
                        head);
    }

    /**
     * Its own code knows a scaling {@code ntk} that does not depend on the text: theta times the factor, and all frequencies
     * over factor^(2/d). That is linear scaling with another theta and another factor, and so transformers has it.
     */
    private static RotarySpec rotaryOfOwnCode(JsonConfig config, int headSize) {
        Optional<JsonConfig> ntk = config.optionalObject("rope_scaling")
                .filter(scaling -> scaling.optionalString("type").orElse("").equals("ntk"));
        if (ntk.isEmpty()) {
            return RotaryConfig.read(config, headSize, 10_000);
        }
        double factor = ntk.get().doubleValue("factor");
        ArchitectureKeys.refuseUnread(ntk.get(), key -> true);
        return RotaryConfig.spec(
                factor * config.doubleValue("rope_theta", 10_000),
                headSize,
                new RopeScaling.Linear(Math.pow(factor, 2.0 / headSize)));
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return NAMES;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "new.", "gte.");
    }
}
