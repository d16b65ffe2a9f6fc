// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

/** Places in one piece of memory, one behind the other, each aligned for the widest loads. */
final class ArenaLayout {
    /** What cuMemAlloc gives, and what cuBLAS and 16-byte loads want at least. */
    static final int ALIGNMENT = 256;

    private long bytes;

    /**
     * Reserves a place.
     *
     * @param size in bytes
     * @return the place's offset in bytes
     */
    long reserve(long size) {
        long offset = bytes;
        bytes = roundUp(Math.addExact(bytes, size), ALIGNMENT);
        return offset;
    }

    /** All that was reserved. */
    long bytes() {
        return bytes;
    }

    /** The next multiple of a unit. */
    static long roundUp(long value, long unit) {
        return (value + unit - 1) / unit * unit;
    }
}
