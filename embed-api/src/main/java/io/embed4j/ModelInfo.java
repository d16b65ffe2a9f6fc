// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a loaded model is.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build()) {
 *     ModelInfo model = embedder.model();
 *     System.out.println(model.name() + ": " + model.dimension() + " numbers, up to " + model.maxTokens() + " tokens");
 * }
 * }</pre>
 *
 * @param name the model's name, or its directory's
 * @param family the model family, as config.json's {@code model_type} names it
 * @param dimension D, what a call gives that does not ask for another
 * @param hiddenSize H
 * @param layerCount L
 * @param maxTokens longest text in tokens, special tokens included
 * @param parameterCount numbers in all weights that the encoder uses
 * @param prompts prompts by name; {@code query} and {@code document} are always there, if only as ""
 * @param defaultPromptName the prompt that is used when a call names none; null for none
 * @param similarity how the model's vectors want to be compared
 * @since 0.1
 */
public record ModelInfo(
        String name,
        String family,
        int dimension,
        int hiddenSize,
        int layerCount,
        int maxTokens,
        long parameterCount,
        Map<String, String> prompts,
        @Nullable String defaultPromptName,
        SimilarityFunction similarity)
        implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Copies the map. */
    public ModelInfo {
        prompts = Map.copyOf(prompts);
    }

    /**
     * Returns the prompt put before every text when a call names none.
     *
     * @return the text of the default prompt, if the model has one
     */
    public Optional<String> defaultPrompt() {
        return defaultPromptName == null ? Optional.empty() : Optional.ofNullable(prompts.get(defaultPromptName));
    }
}
