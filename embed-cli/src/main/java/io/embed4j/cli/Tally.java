// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embeddings;
import java.util.Locale;
import java.util.Optional;

/** Counts what went through, and says what was cut. */
final class Tally {
    private final int maxTokens;
    private long texts;
    private long tokens;
    private long cutTexts;

    /**
     * Counts nothing yet.
     *
     * @param maxTokens longest text of the model in tokens
     */
    Tally(int maxTokens) {
        this.maxTokens = maxTokens;
    }

    void add(Embeddings chunk) {
        for (int row = 0; row < chunk.size(); row++) {
            boolean cut = chunk.truncated(row);
            texts++;
            tokens += cut ? maxTokens : chunk.tokenCount(row);
            cutTexts += cut ? 1 : 0;
        }
    }

    /** Texts so far. */
    long texts() {
        return texts;
    }

    /**
     * Returns for instance {@code 100 texts, 2345 tokens, 1.20 s, 83.3 texts/s}.
     *
     * @param nanos time taken
     */
    String summary(long nanos) {
        double seconds = nanos / 1e9;
        return String.format(
                Locale.ROOT,
                "%d text%s, %d tokens, %.2f s, %.1f texts/s",
                texts,
                texts == 1 ? "" : "s",
                tokens,
                seconds,
                seconds > 0 ? texts / seconds : 0);
    }

    /** Returns how many texts were cut and what would keep them whole; empty if none was. */
    Optional<String> cutNotice() {
        if (cutTexts == 0) {
            return Optional.empty();
        }
        return Optional.of(cutTexts + " of " + texts + (texts == 1 ? " text " : " texts ")
                + (cutTexts == 1 ? "was" : "were") + " cut to " + maxTokens
                + " tokens (use --truncation chunk or error)");
    }
}
