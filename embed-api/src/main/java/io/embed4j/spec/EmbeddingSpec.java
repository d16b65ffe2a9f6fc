// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import java.util.Optional;
import java.util.stream.IntStream;

/**
 * How token ids become the first [T, H] of the encoder: token table, learned positions, token types, scale, norm.
 *
 * <pre>{@code
 * EmbeddingSpec bert = new EmbeddingSpec(
 *         30522, 384, 2, EmbeddingSpec.LearnedPositions.ofEveryToken(512), 1.0, Optional.of(NormSpec.layerNorm(1e-12, true)));
 * if (bert.positions().usablePositions() != 512) throw new AssertionError();
 * }</pre>
 *
 * @param vocabularySize rows of the token table
 * @param embeddingSize columns of the tables; other than H for ALBERT and ELECTRA, which then project to H
 * @param tokenTypes rows of the token type table; 0 for none
 * @param positions what positions are
 * @param scale factor on the token vectors, sqrt(H) for Gemma, else 1
 * @param norm the norm after the sum, if any
 * @since 0.1
 */
public record EmbeddingSpec(
        int vocabularySize,
        int embeddingSize,
        int tokenTypes,
        Positions positions,
        double scale,
        Optional<NormSpec> norm) {

    /** Checks the values. */
    public EmbeddingSpec {
        if (vocabularySize < 1 || embeddingSize < 1 || tokenTypes < 0) {
            throw new IllegalArgumentException("Embedding tables must have positive sizes, found vocabulary "
                    + vocabularySize + ", width " + embeddingSize + ", token types " + tokenTypes + ".");
        }
    }

    /**
     * What the encoder knows of positions before the first layer, and how many there are.
     *
     * <pre>{@code
     * EmbeddingSpec.Positions roberta = EmbeddingSpec.LearnedPositions.behindPadding(514, 1);
     * if (roberta.usablePositions() != 512) throw new AssertionError();
     * }</pre>
     */
    public sealed interface Positions {
        /**
         * Returns the longest text the positions serve.
         *
         * @return tokens
         */
        int usablePositions();

        /**
         * Computes the position of each token of a text: the row of the table, or the place in the text.
         *
         * @param tokenIds [n]
         * @return [n]
         */
        int[] rows(int[] tokenIds);
    }

    /**
     * A learned vector per position, added to the token's.
     *
     * <p>BERT counts every token. RoBERTa and MPNet leave room for a padding row: a padding token inside a text takes
     * that row and does not advance the count, every other token takes the row behind it plus its place in the count.
     *
     * <pre>{@code
     * EmbeddingSpec.LearnedPositions roberta = EmbeddingSpec.LearnedPositions.behindPadding(514, 1);
     * int[] rows = roberta.rows(new int[] {0, 9, 1, 9, 2});
     * if (!Arrays.equals(rows, new int[] {2, 3, 1, 4, 5})) throw new AssertionError();
     * }</pre>
     *
     * @param tableRows rows of the table
     * @param offset row of the first token: 0 for BERT, padding token + 1 for RoBERTa and MPNet
     * @param paddingToken the token that takes row {@code offset - 1} and is not counted; -1 for none
     */
    public record LearnedPositions(int tableRows, int offset, int paddingToken) implements Positions {
        /** Checks the values. */
        public LearnedPositions {
            if (offset < 0 || tableRows <= offset) {
                throw new IllegalArgumentException(
                        "A position table of " + tableRows + " rows has no room behind offset " + offset + ".");
            }
            if (paddingToken >= 0 && offset == 0) {
                throw new IllegalArgumentException("A padding token needs a row before the first position.");
            }
        }

        /**
         * Positions that count every token.
         *
         * @param tableRows rows of the table
         * @return the description
         */
        public static LearnedPositions ofEveryToken(int tableRows) {
            return new LearnedPositions(tableRows, 0, -1);
        }

        /**
         * Positions that begin behind the padding token's row and pass over padding tokens.
         *
         * @param tableRows rows of the table
         * @param paddingToken the padding token's id, which is also its row
         * @return the description
         */
        public static LearnedPositions behindPadding(int tableRows, int paddingToken) {
            return new LearnedPositions(tableRows, paddingToken + 1, paddingToken);
        }

        /**
         * Computes which row of the table each token of a text takes.
         *
         * @param tokenIds [n]
         * @return [n]
         */
        @Override
        public int[] rows(int[] tokenIds) {
            int[] rows = new int[tokenIds.length];
            int next = offset;
            for (int i = 0; i < rows.length; i++) {
                rows[i] = tokenIds[i] == paddingToken ? offset - 1 : next++;
            }
            return rows;
        }

        @Override
        public int usablePositions() {
            return tableRows - offset;
        }
    }

    /**
     * No position vector: attention knows positions (rotary, relative bias, ALiBi).
     *
     * <pre>{@code
     * EmbeddingSpec.Positions modernBert = new EmbeddingSpec.PositionsInAttention(8192);
     * }</pre>
     *
     * @param usablePositions longest text the model was made for, in tokens
     */
    public record PositionsInAttention(int usablePositions) implements Positions {
        /** Checks the value. */
        public PositionsInAttention {
            if (usablePositions < 1) {
                throw new IllegalArgumentException("Positions must be positive, found " + usablePositions + ".");
            }
        }

        @Override
        public int[] rows(int[] tokenIds) {
            return IntStream.range(0, tokenIds.length).toArray();
        }
    }
}
