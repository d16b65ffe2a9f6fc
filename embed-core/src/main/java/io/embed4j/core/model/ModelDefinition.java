// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.ModelInfo;
import io.embed4j.SimilarityFunction;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.WeightSource;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A model, found and checked but not loaded.
 *
 * @param name for people
 * @param modelType the family's name in config.json
 * @param spec the architecture
 * @param weights where each weight lies
 * @param tokenizerFile tokenizer.json
 * @param maxTokens longest text in tokens, special tokens included
 * @param lowerCase whether texts are lower-cased before the tokenizer's own normalizer
 * @param prompts prompts by name
 * @param defaultPromptName the prompt used when a call names none
 * @param similarity how vectors want to be compared
 * @param dimension D, unless a call asks for another
 */
public record ModelDefinition(
        String name,
        String modelType,
        EncoderSpec spec,
        WeightSource weights,
        Path tokenizerFile,
        int maxTokens,
        boolean lowerCase,
        Map<String, String> prompts,
        @Nullable String defaultPromptName,
        SimilarityFunction similarity,
        int dimension) {

    /** What it needs memory for. */
    public ModelOutline outline() {
        return new ModelOutline(name, spec, weights.types(), maxTokens);
    }

    /** The model as users see it. */
    public ModelInfo info() {
        long parameters =
                spec.weightShapes().stream().mapToLong(WeightShape::elements).sum();
        return new ModelInfo(
                name,
                modelType,
                dimension,
                spec.hiddenSize(),
                spec.layers().size(),
                maxTokens,
                parameters,
                prompts,
                defaultPromptName,
                similarity);
    }
}
