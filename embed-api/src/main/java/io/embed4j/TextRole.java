// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * What a text is in a search. Many models want another prompt before questions than before what is searched.
 *
 * <pre>{@code
 * EmbedOptions options = EmbedOptions.defaults().withRole(TextRole.QUERY);
 * if (!options.role().promptName().equals("query")) throw new AssertionError(options);
 * }</pre>
 *
 * @since 0.1
 */
public enum TextRole {
    /** What is searched for: sentence-transformers' {@code encode_query}. */
    QUERY("query"),
    /** What is searched through: sentence-transformers' {@code encode_document}. */
    DOCUMENT("document");

    private final String promptName;

    TextRole(String promptName) {
        this.promptName = promptName;
    }

    /**
     * Returns the prompt that belongs to the role. Every model knows the name; where its files do not, the prompt is
     * empty.
     *
     * @return a name from {@link ModelInfo#prompts()}
     */
    public String promptName() {
        return promptName;
    }
}
