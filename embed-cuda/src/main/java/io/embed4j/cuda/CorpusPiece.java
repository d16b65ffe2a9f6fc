// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.spi.MemoryLedger;

/**
 * Consecutive rows of a corpus in one allocation: S [capacity, stride], and behind them a bit per row for the filter of the
 * search that is under way. A piece never moves or changes its size; a corpus grows by new ones.
 *
 * @param memory where it is
 * @param reservation its entry in the ledger
 * @param firstRow number of its first row
 * @param capacity rows, a multiple of 128
 * @param filterOffset where the bits begin
 */
record CorpusPiece(
        DeviceMemory memory, MemoryLedger.Reservation reservation, int firstRow, int capacity, long filterOffset)
        implements AutoCloseable {

    DevicePointer rows() {
        return memory.pointer();
    }

    DevicePointer filter() {
        return memory.pointer().plus(filterOffset);
    }

    @Override
    public void close() {
        try {
            memory.close();
        } finally {
            reservation.close();
        }
    }
}
