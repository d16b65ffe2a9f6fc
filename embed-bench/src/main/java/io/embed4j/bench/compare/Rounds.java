// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import io.embed4j.bench.protocol.RivalClient;
import io.embed4j.bench.protocol.RivalException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Times rivals in turn. In every round each of them embeds the same texts once; the others sleep meanwhile. All keep
 * their process from the first round to the last. Their order is that of {@link WilliamsOrder}.
 */
final class Rounds {
    private final Map<String, RivalClient> rivals;
    private final CompareOptions options;
    private final long pauseMillis;

    /**
     * Prepares rounds.
     *
     * @param rivals in the order of reports
     * @param options how many rounds and texts
     * @param pauseMillis rest before each rival's turn, in which the threads of the one before stop spinning
     */
    Rounds(Map<String, RivalClient> rivals, CompareOptions options, long pauseMillis) {
        this.rivals = new LinkedHashMap<>(rivals);
        this.options = options;
        this.pauseMillis = pauseMillis;
    }

    /** Warms up, then times all the workloads. */
    List<Report.Timings> run() {
        Map<Workload, List<Report.Round>> rounds = new LinkedHashMap<>();
        for (int round = -options.warmUpRounds(); round < options.rounds(); round++) {
            for (Workload workload : Workload.ALL) {
                for (int part = 0; part < workload.rounds(); part++) {
                    Report.Round times = time(workload, round * workload.rounds() + part);
                    if (round >= 0) {
                        rounds.computeIfAbsent(workload, key -> new ArrayList<>())
                                .add(times);
                    }
                }
            }
            System.err.println(
                    round < 0
                            ? "warm-up rounds left: " + (-1 - round)
                            : "round " + (round + 1) + " of " + options.rounds());
        }
        return rounds.entrySet().stream()
                .map(entry -> new Report.Timings(
                        entry.getKey().name(), entry.getKey().texts(options.texts()), entry.getValue()))
                .toList();
    }

    /** Has every rival embed the texts of a round; warm-up rounds have negative numbers. */
    private Report.Round time(Workload workload, int round) {
        List<String> texts = workload.texts(workload.texts(options.texts()), round);
        List<String> order = WilliamsOrder.of(List.copyOf(rivals.keySet()), round);
        Map<String, Double> seconds = new LinkedHashMap<>();
        for (String rival : order) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(pauseMillis));
            try {
                seconds.put(rival, Objects.requireNonNull(rivals.get(rival)).timeSeconds(texts, workload.onePerCall()));
            } catch (RivalException e) {
                throw new RivalException(rival + " failed at \"" + workload.name() + "\": " + e.reason());
            }
        }
        return new Report.Round(order, seconds);
    }
}
