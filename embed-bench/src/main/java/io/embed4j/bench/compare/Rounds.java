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
 * their process from the first round to the last.
 *
 * <p>The order is that of a Williams square: over as many rounds as there are rivals each has every place once and, if
 * their number is even, follows each of the others once. So nobody always profits or suffers from the one before.
 *
 * <p>E. J. Williams: Experimental designs balanced for the estimation of residual effects of treatments. Australian
 * Journal of Scientific Research A 2 (1949).
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
        List<String> order = order(List.copyOf(rivals.keySet()), round);
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

    /** Who comes after whom in a round: 0, 1, n-1, 2, n-2 and so on, all moved on by the round's number. */
    static List<String> order(List<String> names, int round) {
        List<String> order = new ArrayList<>();
        for (int place = 0; place < names.size(); place++) {
            int zigzag = place % 2 == 1 ? (place + 1) / 2 : -place / 2;
            order.add(names.get(Math.floorMod(zigzag + round, names.size())));
        }
        return List.copyOf(order);
    }
}
