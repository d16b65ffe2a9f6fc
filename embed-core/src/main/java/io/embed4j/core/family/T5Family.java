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
import io.embed4j.spec.WeightRole;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The encoder of T5 (<a href="https://arxiv.org/abs/1910.10683">arXiv 1910.10683</a>) and mT5: RMSNorm before the blocks and
 * behind the last layer, no biases, scores that are not scaled, one bias by distance for all layers. Feed-forward blocks
 * are plain with ReLU, or gated with GELU since version 1.1. The decoder's weights in the file are passed over.
 */
final class T5Family implements ModelFamily {
    /** Distances have no end; texts have, so that tables by distance have a size. */
    private static final int LONGEST = 8192;

    private static final String GATED = "gated-";
    private static final String ATTENTION = "encoder.block.%d.layer.0.SelfAttention.";
    private static final String FEED_FORWARD = "encoder.block.%d.layer.1.DenseReluDense.";

    private static final Map<WeightRole, String> NAMES = Map.ofEntries(
            entry(WeightRole.TOKEN_EMBEDDING, "shared.weight|encoder.embed_tokens.weight"),
            entry(WeightRole.RELATIVE_BIAS, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
            entry(WeightRole.QUERY, ATTENTION + "q.weight"),
            entry(WeightRole.KEY, ATTENTION + "k.weight"),
            entry(WeightRole.VALUE, ATTENTION + "v.weight"),
            entry(WeightRole.ATTENTION_OUTPUT, ATTENTION + "o.weight"),
            entry(WeightRole.ATTENTION_NORM_GAIN, "encoder.block.%d.layer.0.layer_norm.weight"),
            entry(WeightRole.FEED_FORWARD_GATE, FEED_FORWARD + "wi_0.weight"),
            entry(WeightRole.FEED_FORWARD_UP, FEED_FORWARD + "wi.weight|" + FEED_FORWARD + "wi_1.weight"),
            entry(WeightRole.FEED_FORWARD_DOWN, FEED_FORWARD + "wo.weight"),
            entry(WeightRole.FEED_FORWARD_NORM_GAIN, "encoder.block.%d.layer.1.layer_norm.weight"),
            entry(WeightRole.FINAL_NORM_GAIN, "encoder.final_layer_norm.weight"));

    @Override
    public Set<String> modelTypes() {
        return Set.of("t5", "mt5");
    }

    @Override
    public EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        config.require("is_decoder", false);
        config.require("is_causal", false);
        // Both follow from feed_forward_proj, and transformers takes them from there.
        config.has("is_gated_act");
        config.has("dense_act_fn");
        int hiddenSize = config.intValue("d_model");
        NormSpec norm = NormSpec.rmsNorm(config.doubleValue("layer_norm_epsilon", 1e-6));
        int buckets = config.intValue("relative_attention_num_buckets", 32);
        int maxDistance = config.intValue("relative_attention_max_distance", 128);
        if (buckets < 4 || buckets % 4 != 0 || maxDistance <= buckets / 4) {
            throw new UnsupportedModelException(config.source() + ": \"relative_attention_num_buckets\": " + buckets
                    + " is not supported with \"relative_attention_max_distance\": " + maxDistance
                    + "; a multiple of 4 is, with a distance above its quarter.");
        }
        AttentionSpec attention = AttentionSpec.bidirectional(
                        config.intValue("num_heads"), config.intValue("d_kv", 64), false)
                .withScale(1)
                .withBias(new AttentionBias.RelativeBuckets(buckets, maxDistance));
        LayerSpec layer = new LayerSpec(attention, feedForward(config), LayerSpec.NormPlacement.PRE, norm, true);
        return new EncoderSpec(
                hiddenSize,
                new EmbeddingSpec(
                        config.intValue("vocab_size"),
                        hiddenSize,
                        0,
                        new EmbeddingSpec.PositionsInAttention(LONGEST),
                        1,
                        Optional.empty()),
                Collections.nCopies(config.intBetween("num_layers", 1, MAX_LAYERS), layer),
                Optional.of(norm),
                pooling,
                head,
                true);
    }

    /** {@code feed_forward_proj} is an activation, with {@code gated-} before it where there is a gate. */
    private static FeedForwardSpec feedForward(JsonConfig config) {
        String written = config.optionalString("feed_forward_proj")
                .orElse(config.stringValue("model_type").equals("mt5") ? "gated-gelu" : "relu");
        boolean gated = written.startsWith(GATED);
        // Google's checkpoints say gelu where they mean its tanh form, and transformers knows that of this one value.
        String name = written.equals("gated-gelu") ? "gelu_new" : written.substring(gated ? GATED.length() : 0);
        return new FeedForwardSpec(
                config.intValue("d_ff"),
                HuggingFaceActivations.of(config, "feed_forward_proj", name),
                gated,
                false,
                false);
    }

    @Override
    public Map<WeightRole, String> parameterNames() {
        return NAMES;
    }

    @Override
    public List<String> prefixes() {
        return List.of("", "transformer.");
    }
}
