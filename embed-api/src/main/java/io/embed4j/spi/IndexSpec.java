// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.spec.DType;

/**
 * What an index shard holds.
 *
 * <pre>{@code
 * IndexSpec spec = new IndexSpec(384, DType.FP32);
 * }</pre>
 *
 * @param dimension D
 * @param storage how vectors are stored
 * @since 0.1
 */
public record IndexSpec(int dimension, DType storage) {

    /** Checks the values. */
    public IndexSpec {
        if (dimension < 1) {
            throw new IllegalArgumentException("The index dimension must be positive, found " + dimension + ".");
        }
        if (!storage.isFloatingPoint()) {
            throw new IllegalArgumentException("An index stores floating point numbers, not " + storage + ".");
        }
    }
}
