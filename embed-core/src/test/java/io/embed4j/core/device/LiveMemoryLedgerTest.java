// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import org.junit.jupiter.api.Test;

class LiveMemoryLedgerTest {
    private static final long GIB = 1L << 30;

    @Test
    void reservationsAreSummedAndGivenBackOnce() {
        MemoryLedger ledger = new LiveMemoryLedger("cpu", 16 * GIB, () -> 8 * GIB);
        MemoryPlan plan = new MemoryPlan(GIB, 10, 5);
        MemoryLedger.Reservation first = ledger.reserve("a", plan);
        MemoryLedger.Reservation second = ledger.reserve("b", new MemoryPlan(7, 0, 0));
        assertThat(first.plan()).isEqualTo(plan);
        assertThat(ledger.reservedBytes()).isEqualTo(GIB + 22);
        first.close();
        first.close();
        assertThat(ledger.reservedBytes()).isEqualTo(7);
        second.close();
        assertThat(ledger.reservedBytes()).isZero();
        assertThat(ledger.totalBytes()).isEqualTo(16 * GIB);
    }

    @Test
    void whatIsFreeIsAskedEveryTime() {
        long[] free = {GIB};
        MemoryLedger ledger = new LiveMemoryLedger("cpu", 16 * GIB, () -> free[0]);
        ledger.reserve("exactly what is free", new MemoryPlan(GIB, 0, 0)).close();
        free[0] = GIB - 1;
        assertThat(ledger.freeBytes()).isEqualTo(GIB - 1);
        assertThatThrownBy(() -> ledger.reserve("too much", new MemoryPlan(GIB, 0, 0)))
                .isInstanceOf(EmbedException.class);
        assertThat(ledger.reservedBytes()).isZero();
    }

    @Test
    void aRefusalHasTheNumbersAndTheRemedy() {
        MemoryLedger ledger = new LiveMemoryLedger("cpu", 16 * GIB, () -> 3 * GIB / 2);
        assertThatThrownBy(() -> ledger.reserve("bge-large", new MemoryPlan(2 * GIB, GIB, GIB / 4)))
                .isInstanceOf(EmbedException.class)
                .hasMessage("bge-large needs 3.25 GiB but cpu has 1.50 GiB free of 16.00. Close other models or"
                        + " indexes, or lower maxBatchTokens.");
    }
}
