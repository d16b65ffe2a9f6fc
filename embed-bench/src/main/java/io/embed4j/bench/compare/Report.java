// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import java.util.List;
import java.util.Map;

/**
 * All that a run has found; written as it stands to the raw log.
 *
 * @param date when it began, UTC
 * @param command what would repeat it
 * @param commit what was measured
 * @param machine where
 * @param options how
 * @param contenders who took part
 * @param skipped who did not
 * @param workloads every round's seconds
 */
record Report(
        String date,
        String command,
        String commit,
        Machine machine,
        CompareOptions options,
        List<Contender> contenders,
        List<Skipped> skipped,
        List<Timings> workloads) {

    /**
     * A rival that took part.
     *
     * @param name its name
     * @param engine what computes, with the version of ONNX Runtime
     * @param libraries file names of its class path
     * @param startMillis [starts] from the start of the process to the first vector
     * @param peakResidentBytes most memory it had in the whole run; 0 where the system does not tell
     * @param accuracy its error
     */
    record Contender(
            String name,
            String engine,
            List<String> libraries,
            List<Long> startMillis,
            long peakResidentBytes,
            Accuracy accuracy) {}

    /**
     * A rival that did not take part.
     *
     * @param name its name
     * @param reason why
     */
    record Skipped(String name, String reason) {}

    /**
     * The rounds of one workload.
     *
     * @param workload the workload's name
     * @param texts texts a round
     * @param rounds the rounds
     */
    record Timings(String workload, int texts, List<Round> rounds) {

        /** Seconds of a rival, round by round. */
        double[] seconds(String rival) {
            return rounds.stream()
                    .mapToDouble(round -> round.seconds().getOrDefault(rival, Double.NaN))
                    .toArray();
        }

        /** Speed of a rival over the rounds. */
        Spread textsPerSecond(String rival) {
            double[] speeds = seconds(rival);
            for (int round = 0; round < speeds.length; round++) {
                speeds[round] = texts / speeds[round];
            }
            return Spread.of(speeds);
        }

        /** How many times as fast as the baseline a rival is, round by round. */
        Spread ratioToBaseline(String rival) {
            return Spread.ofPairedRatios(seconds(Roster.BASELINE), seconds(rival));
        }
    }

    /**
     * One round: every rival embedded the same texts once.
     *
     * @param order who came after whom
     * @param seconds wall time of each
     */
    record Round(List<String> order, Map<String, Double> seconds) {}
}
