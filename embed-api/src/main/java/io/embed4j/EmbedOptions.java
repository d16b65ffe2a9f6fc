// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import io.embed4j.spec.PoolingSpec;
import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/**
 * What may differ from call to call. Null and 0 stand for "as the model has it".
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build()) {
 *     EmbedOptions options = EmbedOptions.defaults().withPrompt("query: ").withDimension(128);
 *     Embeddings vectors = embedder.embed(List.of("what is a vector?"), options);
 *     if (vectors.dimension() != 128) throw new AssertionError();
 * }
 * }</pre>
 *
 * @param role what the texts are in a search, which picks one of the model's prompts; null for the model's default prompt;
 *     gives way to {@code promptName} and {@code prompt}
 * @param promptName one of the model's prompts, put before every text
 * @param prompt a text put before every text; excludes {@code promptName}
 * @param dimension how many leading numbers of each vector are kept (Matryoshka); normalized again where the model
 *     normalizes, which sentence-transformers does only when told; 0 as the model has it
 * @param truncation what happens to texts that are too long
 * @param normalize whether vectors are divided by their Euclidean norm at the end; null as the model has it
 * @param pooling another pooling than the model's; null for the model's
 * @since 0.1
 */
public record EmbedOptions(
        @Nullable TextRole role,
        @Nullable String promptName,
        @Nullable String prompt,
        int dimension,
        TruncationPolicy truncation,
        @Nullable Boolean normalize,
        @Nullable PoolingSpec pooling)
        implements Serializable {

    private static final long serialVersionUID = 1L;
    private static final EmbedOptions DEFAULTS =
            new EmbedOptions(null, null, null, 0, TruncationPolicy.TRUNCATE, null, null);

    /** Checks the values. */
    public EmbedOptions {
        if (promptName != null && prompt != null) {
            throw new IllegalArgumentException(
                    "Give a prompt name or a prompt, not both; found \"" + promptName + "\" and \"" + prompt + "\".");
        }
        if (dimension < 0) {
            throw new IllegalArgumentException(
                    "The output dimension must be positive, or 0 for the model's; found " + dimension + ".");
        }
    }

    /**
     * Everything as the model has it; texts that are too long are truncated, and say so.
     *
     * @return the defaults
     */
    public static EmbedOptions defaults() {
        return DEFAULTS;
    }

    /**
     * With the prompt that the model has for queries or for documents before every text, if it has one.
     *
     * @param role what the texts are
     * @return a copy
     */
    public EmbedOptions withRole(TextRole role) {
        return new EmbedOptions(role, promptName, prompt, dimension, truncation, normalize, pooling);
    }

    /**
     * With one of the model's prompts before every text.
     *
     * @param promptName a name from {@link ModelInfo#prompts()}
     * @return a copy
     */
    public EmbedOptions withPromptName(String promptName) {
        return new EmbedOptions(role, promptName, null, dimension, truncation, normalize, pooling);
    }

    /**
     * With this text before every text; the empty string for none, even where the model has a default prompt.
     *
     * @param prompt the text, with its trailing space if it has one
     * @return a copy
     */
    public EmbedOptions withPrompt(String prompt) {
        return new EmbedOptions(role, null, prompt, dimension, truncation, normalize, pooling);
    }

    /**
     * With only the leading numbers of each vector.
     *
     * @param dimension how many numbers are kept; 0 for all
     * @return a copy
     */
    public EmbedOptions withDimension(int dimension) {
        return new EmbedOptions(role, promptName, prompt, dimension, truncation, normalize, pooling);
    }

    /**
     * With another treatment of texts that are too long.
     *
     * @param truncation the policy
     * @return a copy
     */
    public EmbedOptions withTruncation(TruncationPolicy truncation) {
        return new EmbedOptions(role, promptName, prompt, dimension, truncation, normalize, pooling);
    }

    /**
     * With or without normalization at the end, whatever the model has.
     *
     * @param normalize whether vectors get unit length
     * @return a copy
     */
    public EmbedOptions withNormalize(boolean normalize) {
        return new EmbedOptions(role, promptName, prompt, dimension, truncation, normalize, pooling);
    }

    /**
     * With another pooling than the model's.
     *
     * @param pooling the pooling
     * @return a copy
     */
    public EmbedOptions withPooling(PoolingSpec pooling) {
        return new EmbedOptions(role, promptName, prompt, dimension, truncation, normalize, pooling);
    }
}
