// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Texts of a given number of tokens that look like prose: sentences of common words, with commas, full stops, capitals
 * and now and then a rarer word of several tokens. How many tokens BERT's vocabulary makes of each word is known, so
 * every text has exactly the number asked for.
 */
public final class BenchmarkTexts {
    /** One token each. */
    private static final String[] COMMON =
            ("the of and to in a is that for it was on with as his they be at one have this from or had by but what some"
                            + " we can out other were all there when up use your how said an each she which do their time if"
                            + " will way about many then them write would like so these her long make thing see him two has"
                            + " look more day could go come did number sound no most people my over know water than call"
                            + " first who may down side been now find any new work part take get place made live city river"
                            + " market history science language system energy music student village mountain company winter"
                            + " question answer teacher machine letter doctor paper window garden summer science bridge"
                            + " evening research weather station memory village")
                    .split(" ");

    private static final Word[] RARE = {
        new Word("tokenization", 2),
        new Word("throughput", 2),
        new Word("benchmark", 2),
        new Word("latency", 2),
        new Word("serverless", 2),
        new Word("embedding", 3),
        new Word("photosynthesis", 3),
        new Word("hippopotamus", 4),
        new Word("microservices", 4),
        new Word("Kubernetes", 4),
        new Word("misconfiguration", 5),
        new Word("neurotransmitter", 6),
        new Word("2024", 2),
        new Word("3.5", 3),
        new Word("e-mail", 3),
        new Word("well-known", 3),
    };

    /** [CLS] and [SEP]. */
    private static final int SPECIAL_TOKENS = 2;

    private static final double RARE_SHARE = 0.08;
    private static final double COMMA_SHARE = 0.1;
    private static final double STOP_SHARE = 0.08;

    private final Random random;
    private final StringBuilder text = new StringBuilder();
    private int tokensLeft;

    /** A word and the number of its tokens. */
    private record Word(String letters, int tokens) {}

    private BenchmarkTexts(Random random, int tokens) {
        this.random = random;
        this.tokensLeft = tokens;
    }

    /**
     * Makes texts.
     *
     * @param count how many
     * @param minTokens fewest tokens, special ones included
     * @param maxTokens most tokens
     * @param seed of the random numbers
     * @return the texts, the same for the same arguments
     */
    public static List<String> make(int count, int minTokens, int maxTokens, long seed) {
        Random random = new Random(seed);
        List<String> texts = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int tokens = minTokens + random.nextInt(maxTokens - minTokens + 1) - SPECIAL_TOKENS;
            texts.add(new BenchmarkTexts(random, tokens).write());
        }
        return texts;
    }

    private String write() {
        boolean newSentence = true;
        while (tokensLeft > 0) {
            add(nextWord(), newSentence);
            newSentence = false;
            if (tokensLeft == 1 || (tokensLeft > 1 && random.nextDouble() < STOP_SHARE)) {
                mark('.');
                newSentence = true;
            } else if (tokensLeft > 1 && random.nextDouble() < COMMA_SHARE) {
                mark(',');
            }
        }
        return text.toString();
    }

    private Word nextWord() {
        if (random.nextDouble() < RARE_SHARE) {
            Word rare = RARE[random.nextInt(RARE.length)];
            if (rare.tokens() <= tokensLeft) {
                return rare;
            }
        }
        return new Word(COMMON[random.nextInt(COMMON.length)], 1);
    }

    private void add(Word word, boolean capital) {
        if (!text.isEmpty()) {
            text.append(' ');
        }
        text.append(
                capital
                        ? Character.toUpperCase(word.letters().charAt(0))
                        : word.letters().charAt(0));
        text.append(word.letters(), 1, word.letters().length());
        tokensLeft -= word.tokens();
    }

    private void mark(char mark) {
        text.append(mark);
        tokensLeft--;
    }
}
