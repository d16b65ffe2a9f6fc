// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import com.google.gson.JsonElement;
import com.google.gson.JsonPrimitive;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.Activation;
import io.embed4j.spec.AttentionBias;
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
 * What BERT and its descendants have in common: equal layers with post LayerNorm, full attention, biases everywhere,
 * learned positions, a norm behind the embeddings. They differ in the names of the sizes and in what positions are.
 *
 * @param hiddenSize H
 * @param heads A
 * @param layerCount L
 * @param intermediateSize width of the feed-forward block
 * @param activation of the feed-forward block
 * @param epsilon of every norm
 * @param bias what attention adds by distance
 */
record PostNormEncoder(
        int hiddenSize,
        int heads,
        int layerCount,
        int intermediateSize,
        Activation activation,
        double epsilon,
        AttentionBias bias) {

    /** The sizes under the names that most families give them. */
    static PostNormEncoder read(JsonConfig config, double defaultEpsilon) {
        return new PostNormEncoder(
                config.intValue("hidden_size"),
                config.intValue("num_attention_heads"),
                config.intBetween("num_hidden_layers", 1, ModelFamily.MAX_LAYERS),
                config.intValue("intermediate_size"),
                HuggingFaceActivations.read(config, "hidden_act", "gelu"),
                config.doubleValue("layer_norm_eps", defaultEpsilon),
                AttentionBias.none());
    }

    PostNormEncoder withBias(AttentionBias bias) {
        return new PostNormEncoder(hiddenSize, heads, layerCount, intermediateSize, activation, epsilon, bias);
    }

    /**
     * Puts the whole encoder together.
     *
     * @param config config.json, for messages
     * @param vocabularySize rows of the token table
     * @param tokenTypes rows of the type table; 0 for none
     * @param positions what positions are
     */
    EncoderSpec spec(
            JsonConfig config,
            int vocabularySize,
            int tokenTypes,
            EmbeddingSpec.LearnedPositions positions,
            PoolingSpec pooling,
            List<HeadModule> head) {
        return spec(config, vocabularySize, hiddenSize, tokenTypes, positions, pooling, head);
    }

    /**
     * Puts the whole encoder together, with tables of another width than the layers.
     *
     * @param config config.json, for messages
     * @param vocabularySize rows of the token table
     * @param embeddingSize columns of the tables
     * @param tokenTypes rows of the type table; 0 for none
     * @param positions what positions are
     */
    EncoderSpec spec(
            JsonConfig config,
            int vocabularySize,
            int embeddingSize,
            int tokenTypes,
            EmbeddingSpec.LearnedPositions positions,
            PoolingSpec pooling,
            List<HeadModule> head) {
        if (heads < 1 || hiddenSize % heads != 0) {
            throw new UnsupportedModelException(config.source() + ": the hidden size " + hiddenSize
                    + " is not a multiple of the " + heads + " attention heads.");
        }
        NormSpec norm = NormSpec.layerNorm(epsilon, true);
        LayerSpec layer = new LayerSpec(
                AttentionSpec.bidirectional(heads, hiddenSize / heads, true).withBias(bias),
                new FeedForwardSpec(intermediateSize, activation, false, true, true),
                LayerSpec.NormPlacement.POST,
                norm,
                true);
        return new EncoderSpec(
                hiddenSize,
                new EmbeddingSpec(vocabularySize, embeddingSize, tokenTypes, positions, 1, Optional.of(norm)),
                Collections.nCopies(layerCount, layer),
                Optional.empty(),
                pooling,
                head,
                false);
    }

    /** Refuses a key whose value would change the architecture. */
    static void require(JsonConfig config, String key, String supported) {
        JsonElement value = config.has(key) ? config.json().get(key) : new JsonPrimitive(supported);
        String found = value.isJsonPrimitive() ? value.getAsString() : value.toString();
        if (!found.equals(supported)) {
            throw new UnsupportedModelException(
                    config.source() + ": \"" + key + "\": " + found + " is not supported; " + supported + " is.");
        }
    }
}
