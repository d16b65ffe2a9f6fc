// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import java.util.Optional;

/**
 * How token ids become the first [T, H] of the encoder: token table, learned positions, token types, scale, norm.
 *
 * <pre>{@code
 * EmbeddingSpec bert = new EmbeddingSpec(
 *         30522, 384, 2, new EmbeddingSpec.LearnedPositions(512, 0), 1.0, Optional.of(NormSpec.layerNorm(1e-12, true)));
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
     * EmbeddingSpec.Positions roberta = new EmbeddingSpec.LearnedPositions(514, 2);
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
    }

    /**
     * A learned vector per position, added to the token's.
     *
     * <pre>{@code
     * EmbeddingSpec.LearnedPositions bert = new EmbeddingSpec.LearnedPositions(512, 0);
     * }</pre>
     *
     * @param tableRows rows of the table
     * @param offset row of the first token: 0 for BERT, padding index + 1 for RoBERTa and MPNet
     */
    public record LearnedPositions(int tableRows, int offset) implements Positions {
        /** Checks the values. */
        public LearnedPositions {
            if (offset < 0 || tableRows <= offset) {
                throw new IllegalArgumentException(
                        "A position table of " + tableRows + " rows has no room behind offset " + offset + ".");
            }
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
    }
}
