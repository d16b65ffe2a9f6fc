// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import java.nio.FloatBuffer;

/**
 * Vectors in two places: where an encoder computed them, in whatever order it did, and on the host, in the order of the texts.
 * An index on the same device takes them from there, and what it needs on the host from the host.
 *
 * <pre>{@code
 * BiConsumer<IndexShard, DeviceRows> append = (shard, rows) -> {
 *     if (shard.takesFrom(rows.block().device())) shard.add(rows);
 * };
 * }</pre>
 *
 * @param block fp32 [at least n, D] on the device
 * @param places [n] which row of the block each vector is
 * @param values fp32 [n, D], the same vectors in host memory, from the buffer's position to its limit; not changed
 * @since 0.1
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record DeviceRows(VectorBlock block, int[] places, FloatBuffer values) {

    /** Checks the sizes. */
    public DeviceRows {
        if (values.remaining() != (long) places.length * block.dimension()) {
            throw new IllegalArgumentException(places.length + " vectors of " + block.dimension()
                    + " numbers do not go with " + values.remaining() + " numbers on the host.");
        }
    }

    /**
     * Returns how many vectors there are.
     *
     * @return n
     */
    public int rows() {
        return places.length;
    }
}
