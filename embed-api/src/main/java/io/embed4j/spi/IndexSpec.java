// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.spec.DType;

/**
 * What an index shard holds, and what its results are worth.
 *
 * <pre>{@code
 * IndexSpec exactInHalfTheBytes = new IndexSpec(384, DType.FP16, IndexSpec.Rescoring.EXACT);
 * }</pre>
 *
 * @param dimension D
 * @param storage how vectors are stored where they are scanned: fp32, fp16 or bf16
 * @param rescoring whether candidates of the scan are scored again from the fp32 rows
 * @since 0.1
 */
public record IndexSpec(int dimension, DType storage, Rescoring rescoring) {

    /**
     * What results are worth.
     *
     * <pre>{@code
     * IndexSpec fastest = new IndexSpec(384, DType.BF16, IndexSpec.Rescoring.NONE);
     * }</pre>
     */
    public enum Rescoring {
        /** Results are exact: the fp32 rows are kept, on the host or in their file, whatever the storage. */
        EXACT,
        /** Results are those of the scan, with the error of its storage and sums; the fp32 rows are not kept. */
        NONE
    }

    /** Checks the values. */
    public IndexSpec {
        if (dimension < 1) {
            throw new IllegalArgumentException("The index dimension must be positive, found " + dimension + ".");
        }
        if (storage != DType.FP32 && storage != DType.FP16 && storage != DType.BF16) {
            throw new IllegalArgumentException("An index stores FP32, FP16 or BF16, not " + storage + ".");
        }
    }

    /**
     * An index of fp32 vectors with exact results.
     *
     * @param dimension D
     * @return the spec
     */
    public static IndexSpec exact(int dimension) {
        return new IndexSpec(dimension, DType.FP32, Rescoring.EXACT);
    }
}
