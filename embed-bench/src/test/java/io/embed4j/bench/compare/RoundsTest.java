// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.bench.protocol.FakeRival;
import io.embed4j.bench.protocol.InProcessRival;
import io.embed4j.bench.protocol.RivalClient;
import io.embed4j.bench.protocol.RivalException;
import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Rounds and reports with rivals that are made up. */
class RoundsTest {
    private static final CompareOptions OPTIONS =
            CompareOptions.parse(List.of("--rounds", "3", "--texts", "4", "--warm-up-rounds", "1"));

    @Test
    void everyRivalTakesPartInEveryRoundOfEveryWorkload() throws IOException {
        try (InProcessRival ours = new InProcessRival(FakeRival::new);
                InProcessRival theirs = new InProcessRival(FakeRival::new)) {
            List<Report.Timings> timings = run(ours, theirs);

            assertThat(timings)
                    .extracting(Report.Timings::workload)
                    .containsExactlyElementsOf(
                            Workload.ALL.stream().map(Workload::name).toList());
            assertThat(timings).allSatisfy(workload -> {
                assertThat(workload.rounds())
                        .hasSize(workload.workload().equals(Workload.SINGLE.name()) ? 24 : 3)
                        .allSatisfy(round -> assertThat(round.seconds())
                                .containsOnlyKeys(Roster.EMBED4J_FP32, Roster.BASELINE)
                                .containsOnlyKeys(round.order()));
                assertThat(workload.ratioToBaseline(Roster.BASELINE)).isEqualTo(new Spread(1, 1, 1));
            });
        }
    }

    @Test
    void aRivalThatFailsIsNamed() throws IOException {
        try (InProcessRival neverLoaded = new InProcessRival(FakeRival::new)) {
            Rounds rounds = new Rounds(Map.of("broken", neverLoaded.client()), OPTIONS, 0);
            assertThatThrownBy(rounds::run)
                    .isInstanceOf(RivalException.class)
                    .hasMessage("broken failed at \"bulk, 5 to 128 tokens\": LOAD comes first.");
        }
    }

    @Test
    void overTheRoundsEachRivalHasEveryPlaceAndEveryPredecessorOnce() {
        List<String> names = List.of("a", "b", "c", "d", "e", "f");
        assertThat(WilliamsOrder.of(names, 0)).containsExactly("a", "b", "f", "c", "e", "d");
        assertThat(WilliamsOrder.of(names, -1)).containsExactly("f", "a", "e", "b", "d", "c");

        Set<String> places = new HashSet<>();
        Set<String> neighbours = new HashSet<>();
        for (int round = 0; round < names.size(); round++) {
            List<String> order = WilliamsOrder.of(names, round);
            assertThat(order).containsExactlyInAnyOrderElementsOf(names);
            for (int place = 0; place < order.size(); place++) {
                places.add(order.get(place) + place);
                if (place > 0) {
                    neighbours.add(order.get(place - 1) + order.get(place));
                }
            }
        }
        assertThat(places).hasSize(36);
        assertThat(neighbours).hasSize(30);
    }

    @Test
    void anOddNumberOfRivalsGetsEveryPlaceToo() {
        assertThat(WilliamsOrder.of(List.of("a", "b", "c"), 0)).containsExactly("a", "b", "c");
        assertThat(WilliamsOrder.of(List.of("a", "b", "c"), 1)).containsExactly("b", "c", "a");
        assertThat(WilliamsOrder.of(List.of("a"), 5)).containsExactly("a");
    }

    private static List<Report.Timings> run(InProcessRival ours, InProcessRival theirs) {
        Map<String, RivalClient> rivals = new LinkedHashMap<>();
        rivals.put(Roster.EMBED4J_FP32, ours.client());
        rivals.put(Roster.BASELINE, theirs.client());
        rivals.values().forEach(rival -> rival.load(0, "first"));
        return new Rounds(rivals, OPTIONS, 0).run();
    }
}
