// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.DevicePointer;

/**
 * What a search keeps for each query, in device memory, one array behind the other so that one copy brings what a search
 * begins with and another what became of it.
 *
 * @param base where it begins
 */
record SearchState(DevicePointer base) {
    private static final int SECTION = ShardLayout.MAX_QUERIES * Integer.BYTES;

    /** What is uploaded: margins, limits, counts, lost. */
    static final int BEGIN_BYTES = 4 * SECTION + Integer.BYTES;

    /** Offset of what is downloaded: counts, lost, one number of collected candidates, offsets. */
    static final int END_OFFSET = 2 * SECTION;

    static final int END_BYTES = 3 * SECTION + ArenaLayout.ALIGNMENT;
    static final long BYTES = END_OFFSET + END_BYTES;

    /** Places of the arrays, in bytes. */
    static final int MARGINS = 0;

    static final int LIMITS = SECTION;
    static final int COUNTS = 2 * SECTION;
    static final int LOST = 3 * SECTION;
    static final int COLLECTED = 4 * SECTION;
    static final int OFFSETS = 4 * SECTION + ArenaLayout.ALIGNMENT;

    DevicePointer at(int place) {
        return base.plus(place);
    }
}
