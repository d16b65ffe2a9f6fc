// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import io.embed4j.bench.BenchmarkTexts;
import java.util.List;

/**
 * What is timed. No text is longer than 128 tokens, where LangChain4j would begin to split.
 *
 * @param name how reports call it
 * @param minTokens fewest tokens of a text, special ones included
 * @param maxTokens most tokens of a text
 * @param onePerCall whether each text is a call of its own, rather than all in one
 */
record Workload(String name, int minTokens, int maxTokens, boolean onePerCall) {
    static final Workload BULK_MIXED = new Workload("bulk, 5 to 128 tokens", 5, 128, false);
    static final Workload BULK_SHORT = new Workload("bulk, 16 tokens", 16, 16, false);
    static final Workload BULK_LONG = new Workload("bulk, 128 tokens", 128, 128, false);
    static final Workload SINGLE = new Workload("one text of 16 tokens a call", 16, 16, true);

    /** Calls are short and the JVM compiles for thousands of them, so single texts are more. */
    private static final int SINGLES_PER_TEXT = 4;

    static final List<Workload> ALL = List.of(BULK_MIXED, BULK_SHORT, BULK_LONG, SINGLE);

    /**
     * How many texts a round has.
     *
     * @param bulkTexts as many as a call for them all has
     */
    int count(int bulkTexts) {
        return onePerCall ? SINGLES_PER_TEXT * bulkTexts : bulkTexts;
    }

    /**
     * The texts of one round, the same whenever the round is.
     *
     * @param count how many
     * @param round which round; other rounds have other texts
     */
    List<String> texts(int count, int round) {
        return BenchmarkTexts.make(count, minTokens, maxTokens, 1000L * ALL.indexOf(this) + round);
    }
}
