// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class HostMemoryTest {
    private static final long GIBIBYTE = 1L << 30;
    private static final long KIBIBYTES_OF_A_GIBIBYTE = 1L << 20;

    private static String memoryInfo(long total, long free, long available) {
        return "MemTotal:       %d kB\nMemFree:        %d kB\nMemAvailable:   %d kB\n"
                .formatted(
                        total * KIBIBYTES_OF_A_GIBIBYTE,
                        free * KIBIBYTES_OF_A_GIBIBYTE,
                        available * KIBIBYTES_OF_A_GIBIBYTE);
    }

    private static String statistics(long activeFile, long inactiveFile) {
        return "anon 12345\nactive_file %d\ninactive_file %d\n"
                .formatted(activeFile * GIBIBYTE, inactiveFile * GIBIBYTE);
    }

    @Test
    void aMachineHasWhatItsPageCacheWouldGive() {
        assertThat(HostMemory.freeBytes(24 * GIBIBYTE, 3 * GIBIBYTE, memoryInfo(24, 3, 20), statistics(9, 9)))
                .isEqualTo(20 * GIBIBYTE);
    }

    @Test
    void aContainerHasWhatItsLimitLeaves() {
        String largeMachine = memoryInfo(256, 100, 200);
        assertThat(HostMemory.freeBytes(8 * GIBIBYTE, 2 * GIBIBYTE, largeMachine, statistics(1, 3)))
                .isEqualTo(5 * GIBIBYTE);
        assertThat(HostMemory.freeBytes(8 * GIBIBYTE, 2 * GIBIBYTE, largeMachine, ""))
                .as("nobody tells how much of it is page cache")
                .isEqualTo(2 * GIBIBYTE);
    }

    @Test
    void aContainerHasNoMoreThanItsMachine() {
        assertThat(HostMemory.freeBytes(64 * GIBIBYTE, 60 * GIBIBYTE, memoryInfo(256, 1, 4), ""))
                .isEqualTo(4 * GIBIBYTE);
    }

    @Test
    void elsewhereUnusedMemoryCounts() {
        assertThat(HostMemory.freeBytes(24 * GIBIBYTE, 3 * GIBIBYTE, "", "")).isEqualTo(3 * GIBIBYTE);
    }
}
