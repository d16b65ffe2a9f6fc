// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import java.util.ArrayList;
import java.util.List;

/**
 * Who comes after whom, round by round: a Williams square. Over as many rounds as there are rivals each has every place once and,
 * if their number is even, follows each of the others once. So nobody always profits or suffers from the one before.
 *
 * <p>E. J. Williams: Experimental designs balanced for the estimation of residual effects of treatments. Australian
 * Journal of Scientific Research A 2 (1949).
 */
public final class WilliamsOrder {
    private WilliamsOrder() {}

    /**
     * The order of a round: 0, 1, n-1, 2, n-2 and so on, all moved on by the round's number.
     *
     * @param names the rivals
     * @param round from 0; negative for warm-up rounds
     */
    public static List<String> of(List<String> names, int round) {
        List<String> order = new ArrayList<>();
        for (int place = 0; place < names.size(); place++) {
            int zigzag = place % 2 == 1 ? (place + 1) / 2 : -place / 2;
            order.add(names.get(Math.floorMod(zigzag + round, names.size())));
        }
        return List.copyOf(order);
    }
}
