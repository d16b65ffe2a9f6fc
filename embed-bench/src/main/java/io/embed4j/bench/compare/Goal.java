// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a ratio to {@link Roster#BASELINE} should be on two cores. Reports print it; nothing fails by it.
 *
 * @param rival whose ratio
 * @param workload on what
 * @param gate what it must reach
 * @param goal what it should reach
 */
record Goal(String rival, Workload workload, double gate, double goal) {
    private static final List<Goal> ALL = List.of(
            new Goal(Roster.EMBED4J_FP32, Workload.BULK_MIXED, 1.5, 1.8),
            new Goal(Roster.EMBED4J_INT8, Workload.BULK_MIXED, 3.0, 4.0),
            new Goal(Roster.EMBED4J_FP32, Workload.SINGLE, 1.0, 1.3));

    /**
     * The goal that was set for a ratio.
     *
     * @return for instance "gate 1.5, goal 1.8"; empty where none was set
     */
    static String text(String rival, String workloadName) {
        return find(rival, workloadName)
                .map(goal -> String.format(Locale.ROOT, "gate %.1f, goal %.1f", goal.gate(), goal.goal()))
                .orElse("");
    }

    /**
     * Holds a measured ratio against the goal that was set for it.
     *
     * @return for instance ": gate reached"; empty where none was set
     */
    static String verdict(String rival, String workloadName, double ratio) {
        return find(rival, workloadName)
                .map(goal -> ratio >= goal.goal()
                        ? ": goal reached"
                        : ratio >= goal.gate() ? ": gate reached" : ": gate missed")
                .orElse("");
    }

    private static Optional<Goal> find(String rival, String workloadName) {
        return ALL.stream()
                .filter(goal ->
                        goal.rival().equals(rival) && goal.workload().name().equals(workloadName))
                .findFirst();
    }
}
