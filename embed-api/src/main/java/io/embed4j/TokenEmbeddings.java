// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The contextual vectors of one text's tokens: the last layer's [n, H] before pooling, special tokens included. Immutable.
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
     * TokenEmbeddings.Token cls = new TokenEmbeddings.Token("[CLS]", 101, 0, 0, TokenEmbeddings.Token.NO_WORD, true);
     * }</pre>
     *
     * @param text the token as the vocabulary spells it
     * @param id its row in the vocabulary
     * @param start where it begins in the text, in chars (UTF-16 units); 0 for special tokens and a prompt's
     * @param end where it ends, exclusive; equal to {@code start} for special tokens and a prompt's
     * @param word the word of the text that it is a part of, from 0; {@link #NO_WORD} for special tokens and a prompt's
     * @param special whether the tokenizer added it
     */
    public record Token(String text, int id, int start, int end, int word, boolean special) {
        /** The word of tokens that belong to none. */
        public static final int NO_WORD = -1;
    }

    /**
     * A word of the text, as the model's tokenizer cuts a text into words before it cuts words into tokens. Models of the
     * SentencePiece kind may cut nothing: the whole text is one word then.
     *
     * <pre>{@code
     * try (Embedder embedder = Embedder.builder().build()) {
     *     String text = "unbelievable weather";
     *     TokenEmbeddings tokens = embedder.embedTokens(List.of(text)).get(0);
     *     TokenEmbeddings.Word first = tokens.words().get(0);
     *     if (!text.substring(first.start(), first.end()).equals("unbelievable")) throw new AssertionError(first);
     *     float[] vector = tokens.vector(first);
     * }
     * }</pre>
     *
     * @param index its place among the text's words, {@link Token#word()}
     * @param start where it begins in the text, in chars
     * @param end where it ends, exclusive
     * @param firstToken its first token
     * @param endToken the token behind its last
     */
    public record Word(int index, int start, int end, int firstToken, int endToken) {}

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
        return Arrays.copyOfRange(values, token * hiddenSize, (token + 1) * hiddenSize);
    }

    /**
     * Returns the words that went through the encoder, in order: the last one may have lost tokens where the text was cut.
     *
     * @return one entry for each word that has tokens
     */
    public List<Word> words() {
        List<Word> words = new ArrayList<>();
        for (int first = 0; first < tokens.size(); ) {
            int index = tokens.get(first).word();
            int end = first + 1;
            while (end < tokens.size() && tokens.get(end).word() == index) {
                end++;
            }
            if (index != Token.NO_WORD) {
                words.add(new Word(
                        index, tokens.get(first).start(), tokens.get(end - 1).end(), first, end));
            }
            first = end;
        }
        return List.copyOf(words);
    }

    /**
     * Returns a word's vector: the mean of its tokens' vectors.
     *
     * @param word one of {@link #words()}
     * @return [H]
     */
    public float[] vector(Word word) {
        float[] mean = new float[hiddenSize];
        for (int i = 0; i < hiddenSize; i++) {
            double sum = 0;
            for (int token = word.firstToken(); token < word.endToken(); token++) {
                sum += values[token * hiddenSize + i];
            }
            mean[i] = (float) (sum / (word.endToken() - word.firstToken()));
        }
        return mean;
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

    @Override
    public String toString() {
        return "TokenEmbeddings[" + size() + ", " + hiddenSize + "]";
    }
}
