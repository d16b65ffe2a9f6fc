// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.spi.VectorBlock;

/**
 * A place for vectors on a device, held by the call that wants them and by each batch that writes to it. Whoever lets go last
 * closes it: a call that is given up does not free what the device still writes to.
 */
final class SharedRoom {
    private final VectorBlock block;
    private int holders = 1;

    /**
     * Held by the caller.
     *
     * @param block the place
     */
    SharedRoom(VectorBlock block) {
        this.block = block;
    }

    VectorBlock block() {
        return block;
    }

    /** Holds it once more; false if it is closed already. */
    synchronized boolean hold() {
        if (holders == 0) {
            return false;
        }
        holders++;
        return true;
    }

    /** Lets go once. */
    void release() {
        boolean last;
        synchronized (this) {
            last = --holders == 0;
        }
        if (last) {
            block.close();
        }
    }
}
