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

    /** Calls are short and the JVM compiles for thousands of them, so single texts are more: this many times a bulk's. */
    private static final int SINGLES = 4;

    /**
     * The machine's pace changes from second to second. Single texts can take turns sooner than that, and so stand side by
     * side: a round of theirs is a fraction of a bulk's in time, and there are more of them.
     */
    private static final int ROUNDS_OF_SINGLES = 8;

    static final List<Workload> ALL = List.of(BULK_MIXED, BULK_SHORT, BULK_LONG, SINGLE);

    /**
     * How many texts a round has.
     *
     * @param bulkTexts as many as a call for them all has
     */
    int texts(int bulkTexts) {
        return onePerCall ? Math.max(1, SINGLES * bulkTexts / ROUNDS_OF_SINGLES) : bulkTexts;
    }

    /** How many of its rounds stand beside one round of the bulk workloads. */
    int rounds() {
        return onePerCall ? ROUNDS_OF_SINGLES : 1;
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
