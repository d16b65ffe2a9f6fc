// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * What the command line says.
 *
 * @param rounds rounds that are timed
 * @param warmUpRounds rounds before them
 * @param texts texts a round and workload
 * @param starts processes started one after the other for the start-up time
 * @param only rivals to compare; empty means all
 * @param outDirectory where the reports go as files; empty means standard output only
 */
record CompareOptions(int rounds, int warmUpRounds, int texts, int starts, List<String> only, String outDirectory) {
    static final String USAGE = """
            Usage: compare-cpu [--quick] [--rounds N] [--warm-up-rounds N] [--texts N] [--starts N] [--only NAME]... [--out DIR]
              --rounds N          timed rounds, each of all workloads and rivals (7; below 7 it is no measurement)
              --warm-up-rounds N  rounds before them that do not count (2)
              --texts N           texts a round and workload (256)
              --starts N          starts of each rival; the median start-up is reported (3)
              --only NAME         this rival only, may be repeated; LangChain4j fp32 always takes part
              --quick             a smoke run: 2 rounds, 1 warm-up round, 16 texts, 1 start, unless said otherwise
              --out DIR           also write compare-cpu.md and compare-cpu.json, with every round's seconds, into DIR
            The environment variable EMBED_BENCH_PYTHON names a Python with sentence-transformers and onnxruntime; without
            it that rival is left out.""";

    /** Fewest rounds of what may be called a measurement. */
    static final int MEASUREMENT_ROUNDS = 7;

    /** Whether there are rounds enough to speak of speed. */
    boolean measures() {
        return rounds >= MEASUREMENT_ROUNDS;
    }

    /** The same, but for where the reports go: a log that others read does not tell the folders of a machine. */
    CompareOptions withoutOutDirectory() {
        return new CompareOptions(rounds, warmUpRounds, texts, starts, only, "");
    }

    /**
     * Reads the command line.
     *
     * @throws IllegalArgumentException if it cannot be understood; the message says what and lists what can
     */
    static CompareOptions parse(List<String> arguments) {
        boolean quick = arguments.contains("--quick");
        int rounds = quick ? 2 : MEASUREMENT_ROUNDS;
        int warmUpRounds = quick ? 1 : 2;
        int texts = quick ? 16 : 256;
        int starts = quick ? 1 : 3;
        List<String> only = new ArrayList<>();
        String outDirectory = "";
        for (Iterator<String> rest = arguments.iterator(); rest.hasNext(); ) {
            String option = rest.next();
            switch (option) {
                case "--quick" -> {}
                case "--rounds" -> rounds = number(option, rest, 1);
                case "--warm-up-rounds" -> warmUpRounds = number(option, rest, 0);
                case "--texts" -> texts = number(option, rest, 1);
                case "--starts" -> starts = number(option, rest, 1);
                case "--only" -> only.add(rival(value(option, rest)));
                case "--out" -> outDirectory = value(option, rest);
                default -> throw new IllegalArgumentException("Unknown option \"" + option + "\".\n" + USAGE);
            }
        }
        return new CompareOptions(rounds, warmUpRounds, texts, starts, List.copyOf(only), outDirectory);
    }

    private static String value(String option, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(option + " needs a value.\n" + USAGE);
        }
        return rest.next();
    }

    private static String rival(String name) {
        if (!Roster.NAMES.contains(name)) {
            throw new IllegalArgumentException(
                    "There is no rival \"" + name + "\". Use " + String.join(", ", Roster.NAMES) + ".");
        }
        return name;
    }

    private static int number(String option, Iterator<String> rest, int least) {
        String text = value(option, rest);
        try {
            int number = Integer.parseInt(text);
            if (number >= least) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new IllegalArgumentException(
                option + " needs a whole number of at least " + least + ", not \"" + text + "\".");
    }
}
