// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import java.time.Duration;

/**
 * How long the Hub may take, and how often we ask.
 *
 * @param connect until a connection stands
 * @param answer until an answer begins
 * @param stall how long a body may go without at least {@link PatientBody#LEAST_BYTES} bytes
 * @param tries how often something is tried that may go better the next time, as long as no byte arrives in between
 * @param firstPause before the second try; doubled before each further one
 * @param longestPause the longest wait that the Hub can make us take; if it asks for more, we give up at once
 */
record Patience(
        Duration connect, Duration answer, Duration stall, int tries, Duration firstPause, Duration longestPause) {

    static Patience of(Duration answer, Duration stall) {
        return new Patience(Duration.ofSeconds(10), answer, stall, 4, Duration.ofSeconds(1), Duration.ofSeconds(60));
    }

    /** The pause after a failed try, counted from 1. */
    Duration pause(int failedTries) {
        return firstPause.multipliedBy(1L << Math.min(failedTries - 1, 10));
    }
}
