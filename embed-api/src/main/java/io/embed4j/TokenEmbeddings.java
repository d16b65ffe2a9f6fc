// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.List;

/**
 * The contextual vectors of one text's tokens: the last layer's [n, H] before pooling, special tokens included.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build()) {
 *     String text = "the bank of the river";
 *     TokenEmbeddings tokens = embedder.embedTokens(List.of(text)).get(0);
 *     for (int i = 0; i < tokens.size(); i++) {
 *         TokenEmbeddings.Token token = tokens.tokens().get(i);
 *         System.out.println(text.substring(token.start(), token.end()) + " " + tokens.vector(i)[0]);
 *     }
 * }
 * }</pre>
 *
 * @since 0.1
 */
public final class TokenEmbeddings {

    /**
     * One token and where it stands in the text.
     *
     * <pre>{@code
     * TokenEmbeddings.Token cls = new TokenEmbeddings.Token("[CLS]", 101, 0, 0, true);
     * }</pre>
     *
     * @param text the token as the vocabulary spells it
     * @param id its row in the vocabulary
     * @param start where it begins in the text, in chars (UTF-16 units); 0 for special tokens
     * @param end where it ends, exclusive; equal to {@code start} for special tokens
     * @param special whether the tokenizer added it
     */
    public record Token(String text, int id, int start, int end, boolean special) {}

    private final List<Token> tokens;
    private final int hiddenSize;
    private final float[] values;
    private final int tokenCount;

    /**
     * Wraps token vectors; the array is not copied and must not be changed afterwards.
     *
     * @param tokens the n tokens that went through the encoder
     * @param hiddenSize H
     * @param values [n, H], row-major
     * @param tokenCount tokens of the text before truncation, special tokens included
     */
    public TokenEmbeddings(List<Token> tokens, int hiddenSize, float[] values, int tokenCount) {
        this.tokens = List.copyOf(tokens);
        this.hiddenSize = hiddenSize;
        this.values = values;
        this.tokenCount = tokenCount;
        if (values.length != (long) this.tokens.size() * hiddenSize) {
            throw new IllegalArgumentException("Sizes do not fit: " + values.length + " numbers for "
                    + this.tokens.size() + " tokens of " + hiddenSize + ".");
        }
    }

    /**
     * Returns how many tokens went through the encoder.
     *
     * @return n
     */
    public int size() {
        return tokens.size();
    }

    /**
     * Returns the tokens in order.
     *
     * @return n tokens
     */
    public List<Token> tokens() {
        return tokens;
    }

    /**
     * Returns a copy of one token's vector.
     *
     * @param token 0 to n - 1
     * @return [H]
     */
    public float[] vector(int token) {
        return java.util.Arrays.copyOfRange(values, token * hiddenSize, (token + 1) * hiddenSize);
    }

    /**
     * Returns the length of each vector.
     *
     * @return H
     */
    public int hiddenSize() {
        return hiddenSize;
    }

    /**
     * Tells whether the text had more tokens than the model takes.
     *
     * @return true if tokens were dropped
     */
    public boolean truncated() {
        return tokenCount > tokens.size();
    }

    /**
     * Returns how many tokens the text had before truncation.
     *
     * @return tokens, special ones included
     */
    public int tokenCount() {
        return tokenCount;
    }
}
