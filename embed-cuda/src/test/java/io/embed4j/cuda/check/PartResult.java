// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import java.util.List;
import java.util.OptionalDouble;

/**
 * How a part went.
 *
 * @param part which
 * @param problem why it did not come to its end, or could not be believed; empty if it did
 * @param seconds it took
 * @param tests in their order
 */
record PartResult(CheckPart part, String problem, double seconds, List<TestRow> tests) {

    /** How a test ended. */
    enum Outcome {
        PASSED,
        FAILED,
        SKIPPED,
        /** It began, and its process ended before it did. */
        CUT_OFF
    }

    /**
     * A test.
     *
     * @param name class, method and what it was given
     * @param outcome how it ended
     * @param seconds it took
     * @param message why it failed or was skipped; empty otherwise
     * @param lines what it printed of errors and their share of the bar
     */
    record TestRow(String name, Outcome outcome, double seconds, String message, List<String> lines) {}

    PartResult {
        tests = List.copyOf(tests);
    }

    long count(Outcome outcome) {
        return tests.stream().filter(test -> test.outcome() == outcome).count();
    }

    /** It came to its end, and there was something to pass, and all of that passed or was left out on purpose. */
    boolean passed() {
        boolean anything = part == CheckPart.FACTS || count(Outcome.PASSED) > 0;
        return problem.isEmpty() && anything && tests.stream().noneMatch(PartResult::counts);
    }

    private static boolean counts(TestRow test) {
        return switch (test.outcome()) {
            case PASSED -> false;
            case SKIPPED -> !test.message().startsWith(LeavesOut.REASON);
            case FAILED, CUT_OFF -> true;
        };
    }

    /** The largest share of a bar or tolerance that any test printed, in percent. */
    OptionalDouble worstShare() {
        return tests.stream()
                .flatMap(test -> test.lines().stream())
                .map(Share::find)
                .flatMapToDouble(OptionalDouble::stream)
                .max();
    }
}
