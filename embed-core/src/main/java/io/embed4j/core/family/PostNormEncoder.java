// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.PoolingSpec;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * What BERT and its descendants have in common: equal layers that see the whole text, LayerNorm behind each block and behind
 * the embeddings. They differ in the names of the sizes, in what positions are, and in the blocks.
 *
 * @param hiddenSize H
 * @param layerCount L
 * @param attention of every layer
 * @param feedForward of every layer
 * @param epsilon of every norm
 */
record PostNormEncoder(
        int hiddenSize, int layerCount, AttentionSpec attention, FeedForwardSpec feedForward, double epsilon) {

    /** BERT's blocks, with biases everywhere, their sizes under the names that most families give them. */
    static PostNormEncoder read(JsonConfig config, double defaultEpsilon) {
        config.require("is_decoder", false);
        config.require("position_embedding_type", "absolute");
        int hiddenSize = config.intValue("hidden_size");
        return new PostNormEncoder(
                hiddenSize,
                config.intBetween("num_hidden_layers", 1, ModelFamily.MAX_LAYERS),
                attention(config, hiddenSize, config.intValue("num_attention_heads"), true),
                new FeedForwardSpec(
                        config.intValue("intermediate_size"),
                        HuggingFaceActivations.read(config, "hidden_act", "gelu"),
                        false,
                        true,
                        true),
                config.doubleValue("layer_norm_eps", defaultEpsilon));
    }

    /**
     * Attention in both directions, whose heads share the hidden size.
     *
     * @param biases whether the projections have biases
     */
    static AttentionSpec attention(JsonConfig config, int hiddenSize, int heads, boolean biases) {
        config.require("is_causal", false);
        if (heads < 1 || hiddenSize % heads != 0) {
            throw new UnsupportedModelException(config.source() + ": the hidden size " + hiddenSize
                    + " is not a multiple of the " + heads + " attention heads.");
        }
        return AttentionSpec.bidirectional(heads, hiddenSize / heads, biases);
    }

    PostNormEncoder with(AttentionSpec attention) {
        return new PostNormEncoder(hiddenSize, layerCount, attention, feedForward, epsilon);
    }

    /**
     * Puts the whole encoder together.
     *
     * @param vocabularySize rows of the token table
     * @param embeddingSize columns of the tables
     * @param tokenTypes rows of the type table; 0 for none
     * @param positions what positions are
     */
    EncoderSpec spec(
            int vocabularySize,
            int embeddingSize,
            int tokenTypes,
            EmbeddingSpec.Positions positions,
            PoolingSpec pooling,
            List<HeadModule> head) {
        NormSpec norm = NormSpec.layerNorm(epsilon, true);
        LayerSpec layer = new LayerSpec(attention, feedForward, LayerSpec.NormPlacement.POST, norm, true);
        return new EncoderSpec(
                hiddenSize,
                new EmbeddingSpec(vocabularySize, embeddingSize, tokenTypes, positions, 1, Optional.of(norm)),
                Collections.nCopies(layerCount, layer),
                Optional.empty(),
                pooling,
                head,
                false);
    }
}
