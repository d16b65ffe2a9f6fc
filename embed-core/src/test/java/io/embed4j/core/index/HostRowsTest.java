// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.core.device.LiveMemoryLedger;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import java.nio.FloatBuffer;
import org.junit.jupiter.api.Test;

class HostRowsTest {

    private static HostRows rows(int dimension, MemoryLedger ledger) {
        return new HostRows(dimension, bytes -> ledger.reserve("index", new MemoryPlan(bytes, 0, 0)));
    }

    private static FloatBuffer counting(int from, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = from + i;
        }
        return FloatBuffer.wrap(values);
    }

    @Test
    void partsFollowEachOtherAndTakeWhatWasPlanned() {
        LiveMemoryLedger ledger = new LiveMemoryLedger("cpu", 1L << 40, () -> 1L << 40);
        int dimension = 3;
        try (HostRows rows = rows(dimension, ledger)) {
            int count = 0;
            int[] pieces = {1, 0, 7000, 1, 40_000, 2};
            for (int piece : pieces) {
                rows.add(counting(count * dimension, piece * dimension));
                count += piece;
                assertThat(ledger.reservedBytes()).isLessThanOrEqualTo(HostRows.bytes(dimension, count));
            }
            assertThat(rows.rows()).isEqualTo(count);
            int next = 0;
            for (HostRows.Part part : rows.parts().list()) {
                assertThat(part.firstRow()).isEqualTo(next);
                next += part.rows();
            }
            assertThat(next).isEqualTo(count);
            float[] all = new float[count * dimension + 1];
            rows.read(0, count, all, 1);
            for (int i = 0; i < count * dimension; i++) {
                assertThat(all[i + 1]).isEqualTo(i);
            }
            int rowCount = count;
            assertThatThrownBy(() -> rows.read(rowCount - 1, 2, all, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        }
        assertThat(ledger.reservedBytes()).isZero();
    }

    /** What a reader took before stays as it was. */
    @Test
    void aReaderSeesTheRowsThatThereWere() {
        LiveMemoryLedger ledger = new LiveMemoryLedger("cpu", 1 << 30, () -> 1L << 30);
        try (HostRows rows = rows(1, ledger)) {
            rows.add(counting(0, 3));
            HostRows.Parts before = rows.parts();
            rows.add(counting(3, 2));
            assertThat(before.rows()).isEqualTo(3);
            assertThat(before.list())
                    .hasSize(1)
                    .allSatisfy(part -> assertThat(part.rows()).isEqualTo(3));
            assertThat(rows.parts().list()).hasSize(1);
        }
    }

    @Test
    void aRefusalChangesNothing() {
        long[] free = {1 << 20};
        LiveMemoryLedger ledger = new LiveMemoryLedger("cpu", 1 << 20, () -> free[0]);
        try (HostRows rows = rows(4, ledger)) {
            rows.add(counting(0, 8));
            free[0] = 0;
            assertThatThrownBy(() -> rows.add(counting(0, 100_000)))
                    .isInstanceOfSatisfying(
                            EmbedException.class,
                            e -> assertThat(e.helpTopic()).isEqualTo(HelpTopic.OUT_OF_DEVICE_MEMORY));
            assertThat(rows.rows()).isEqualTo(2);
            rows.add(counting(8, 4));
            assertThat(rows.rows()).isEqualTo(3);
            rows.adopt(counting(12, 400_000));
            assertThat(rows.rows()).as("adopted rows need no memory").isEqualTo(100_003);
        }
    }
}
