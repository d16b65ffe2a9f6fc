// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static java.util.Map.entry;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.Activation;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * NomicBERT (<a href="https://arxiv.org/abs/2402.01613">arXiv 2402.01613</a>): BERT with rotary positions and a gated
 * feed-forward block, without biases. Weights have the names of the model's own code, under which transformers 5 saves them
 * too. config.json is read as transformers 5 writes it, and as the model's own code does ({@code n_embd}), which most
 * copies on disks have.
 */
final class NomicBertFamily implements ModelFamily {
    private static final String LAYER = "encoder.layers.%d.";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "embeddings.word_embeddings.weight"),
            entry(WeightRole.TYPE_EMBEDDING, "embeddings.token_type_embeddings.weight"),
            entry(WeightRole.EMBEDDING_NORM_GAIN, "emb_ln.weight"),
            entry(WeightRole.EMBEDDING_NORM_BIAS, "emb_ln.bias"),
            entry(WeightRole.QUERY, LAYER + "attn.Wqkv.weight[0/3]"),
            entry(WeightRole.KEY, LAYER + "attn.Wqkv.weight[1/3]"),
            entry(WeightRole.VALUE, LAYER + "attn.Wqkv.weight[2/3]"),
            entry(WeightRole.ATTENTION_OUTPUT, LAYER + "attn.out_proj.weight"),
            entry(WeightRole.ATTENTION_NORM_GAIN, LAYER + "norm1.weight"),
            entry(WeightRole.ATTENTION_NORM_BIAS, LAYER + "norm1.bias"),
            entry(WeightRole.FEED_FORWARD_GATE, LAYER + "mlp.fc12.weight"),
            entry(WeightRole.FEED_FORWARD_UP, LAYER + "mlp.fc11.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN, LAYER + "mlp.fc2.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, LAYER + "norm2.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_BIAS, LAYER + "norm2.bias"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("nomic_bert");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        return config.has("n_embd") ? ofItsOwnCode(config, pooling, head) : ofTransformers(config, pooling, head);
    }

    private static EncoderSpec ofTransformers(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        int hiddenSize = config.intValue("hidden_size");
        int heads = config.intBetween("num_attention_heads", 1, hiddenSize);
        int headSize = config.intValue("head_dim", hiddenSize / heads);
        config.require("is_causal", false);
        RotarySpec rotary = RotaryConfig.read(config, headSize, 1000);
        return new PostNormEncoder(
                        hiddenSize,
                        config.intBetween("num_hidden_layers", 1, MAX_LAYERS),
                        AttentionSpec.bidirectional(heads, headSize, false).withRotary(rotary),
                        gated(
                                config.intValue("intermediate_size"),
                                HuggingFaceActivations.read(config, "hidden_act", "silu")),
                        config.doubleValue("layer_norm_eps", 1e-12))
                .spec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        config.intValue("type_vocab_size", 2),
                        RotaryConfig.positions(rotary, config.intValue("max_position_embeddings", 2048)),
                        pooling,
                        head);
    }

    /** The keys of NomicBertConfig in the repositories of nomic-embed-text, which are GPT-2's and some more. */
    private static EncoderSpec ofItsOwnCode(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        config.require("causal", false);
        config.require("prenorm", false);
        config.require("parallel_block", false);
        config.require("use_rms_norm", false);
        config.require("scale_attn_weights", true);
        config.require("scale_attn_by_inverse_layer_idx", false);
        config.require("qkv_proj_bias", false);
        config.require("mlp_fc1_bias", false);
        config.require("mlp_fc2_bias", false);
        config.require("rotary_emb_fraction", 1);
        config.require("rotary_emb_interleaved", false);
        if (config.has("rotary_emb_scale_base")) {
            throw config.notSupported("rotary_emb_scale_base", "null is.");
        }
        int hiddenSize = config.intValue("n_embd");
        AttentionSpec attention =
                PostNormEncoder.attention(config, hiddenSize, config.intBetween("n_head", 1, hiddenSize), false);
        int longest = config.intValue("n_positions");
        RopeScaling scaling = config.has("rotary_scaling_factor")
                ? new RopeScaling.Dynamic(
                        config.doubleValue("rotary_scaling_factor"), config.intValue("max_trained_positions", 2048))
                : RopeScaling.none();
        RotarySpec rotary =
                RotaryConfig.spec(config.doubleValue("rotary_emb_base", 10_000), attention.headSize(), scaling);
        return new PostNormEncoder(
                        hiddenSize,
                        config.intBetween("n_layer", 1, MAX_LAYERS),
                        attention.withRotary(rotary),
                        gated(config.intValue("n_inner", 4 * hiddenSize), gate(config)),
                        config.doubleValue("layer_norm_epsilon", 1e-5))
                .spec(
                        paddedVocabulary(config),
                        hiddenSize,
                        config.intValue("type_vocab_size", 2),
                        new EmbeddingSpec.PositionsInAttention(longest),
                        pooling,
                        head);
    }

    private static FeedForwardSpec gated(int intermediateSize, Activation activation) {
        return new FeedForwardSpec(intermediateSize, activation, true, false, false);
    }

    private static Activation gate(JsonConfig config) {
        return switch (config.stringValue("activation_function")) {
            case "swiglu" -> Activation.SILU;
            case "geglu" -> Activation.GELU_ERF;
            case "glu" -> Activation.SIGMOID;
            default -> throw config.notSupported("activation_function", "swiglu, geglu and glu are.");
        };
    }

    /** The table has as many rows as the next multiple asks for. */
    private static int paddedVocabulary(JsonConfig config) {
        int size = config.intValue("vocab_size");
        int multiple = Math.max(1, config.intValue("pad_vocab_size_multiple", 1));
        return Math.toIntExact((size + multiple - 1L) / multiple * multiple);
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
