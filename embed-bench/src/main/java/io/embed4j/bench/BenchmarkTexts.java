// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Texts of a given number of tokens: common English words, each one token in BERT's vocabulary. */
final class BenchmarkTexts {
    private static final String[] WORDS =
            ("the of and to in a is that for it was on with as his they be at one have this"
                            + " from or had by hot word but what some we can out other were all there when up use your how said an"
                            + " each she which do their time if will way about many then them write would like so these her long"
                            + " make thing see him two has look more day could go come did number sound no most people my over know"
                            + " water than call first who may down side been now find any new work part take get place made live")
                    .split(" ");

    /** [CLS] and [SEP]. */
    private static final int SPECIAL_TOKENS = 2;

    private BenchmarkTexts() {}

    /**
     * Makes texts of random words.
     *
     * @param count how many
     * @param minTokens fewest tokens, special ones included
     * @param maxTokens most tokens
     * @param seed of the random numbers
     */
    static List<String> make(int count, int minTokens, int maxTokens, long seed) {
        Random random = new Random(seed);
        List<String> texts = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int words = minTokens + random.nextInt(maxTokens - minTokens + 1) - SPECIAL_TOKENS;
            StringBuilder text = new StringBuilder();
            for (int w = 0; w < words; w++) {
                text.append(w == 0 ? "" : " ").append(WORDS[random.nextInt(WORDS.length)]);
            }
            texts.add(text.toString());
        }
        return texts;
    }
}
