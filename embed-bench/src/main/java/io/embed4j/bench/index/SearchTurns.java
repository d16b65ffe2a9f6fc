// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import io.embed4j.bench.compare.WilliamsOrder;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Searches of engines in turn: in every round each of them searches once, in an order that changes from round to round. */
final class SearchTurns {
    /** Compilers want time, and searches of a small index take little: a number of searches alone would leave it cold. */
    private static final double WARM_UP_MILLIS = 2000;

    private final Map<String, Engine> engines;
    private final int queries;

    /**
     * What rounds gave.
     *
     * @param millis [rounds] by engine, in the order of the rounds
     * @param lastFound rows found for the last query, by engine
     */
    record Taken(Map<String, double[]> millis, Map<String, Set<String>> lastFound) {
        /** [rounds] of an engine that took part. */
        double[] of(String name) {
            return Objects.requireNonNull(millis.get(name));
        }
    }

    /**
     * Prepares turns.
     *
     * @param engines by name, in the order of reports
     * @param queries Q
     */
    SearchTurns(Map<String, Engine> engines, int queries) {
        this.engines = new LinkedHashMap<>(engines);
        this.queries = queries;
    }

    /**
     * Searches that do not count, of one engine after the other, until each has searched for two seconds.
     *
     * @param results each k that will be asked for
     */
    void warmUp(int... results) throws IOException {
        int least = queries == 1 ? 10 : queries <= 32 ? 3 : 1;
        for (Engine engine : engines.values()) {
            double millis = 0;
            for (int search = 0; search < least * results.length || millis < WARM_UP_MILLIS; search++) {
                millis +=
                        engine.search(queries, results[search % results.length]).millis();
            }
        }
    }

    /**
     * Times rounds.
     *
     * @param k results per query
     * @param rounds how many
     */
    Taken take(int k, int rounds) throws IOException {
        List<String> names = List.copyOf(engines.keySet());
        Map<String, double[]> millis = new LinkedHashMap<>();
        names.forEach(name -> millis.put(name, new double[rounds]));
        Map<String, Set<String>> lastFound = new LinkedHashMap<>();
        names.forEach(name -> lastFound.put(name, Set.of()));
        for (int round = 0; round < rounds; round++) {
            for (String name : WilliamsOrder.of(names, round)) {
                Engine.Answer answer = Objects.requireNonNull(engines.get(name)).search(queries, k);
                Objects.requireNonNull(millis.get(name))[round] = answer.millis();
                lastFound.put(name, answer.lastFound());
            }
        }
        return new Taken(millis, lastFound);
    }
}
