// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;

/**
 * What is fixed when an index is made or loaded. Serializable, so that Spark and Flink jobs can ship it.
 *
 * <pre>{@code
 * IndexOptions options = IndexOptions.defaults().withStorage(Precision.FP16);
 * try (VectorIndex index = VectorIndex.builder().options(options).build(384)) {
 *     System.out.println(index.options());
 * }
 * }</pre>
 *
 * @param device {@code auto}, {@code cpu}, {@code cuda:0}
 * @param storage how vectors are stored where they are scanned: fp32, fp16 or bf16. Results are the same in each
 * @param exact whether candidates are scored again from the fp32 vectors, which are kept for it; without, results have the
 *     storage's error, and memory is that of the storage alone
 * @param similarity what is ranked by, cosine or dot product; a saved index has its own
 * @param stringIds whether rows are named by strings instead of numbers; a saved index has its own
 * @since 0.1
 */
public record IndexOptions(
        String device, Precision storage, boolean exact, SimilarityFunction similarity, boolean stringIds)
        implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Checks the values. */
    public IndexOptions {
        if (!device.matches("auto|cpu|cuda:\\d{1,4}")) {
            throw new IllegalArgumentException(
                    "Unknown device \"" + device + "\". Use auto, cpu or cuda:N (for instance cuda:0).");
        }
        if (similarity != SimilarityFunction.COSINE && similarity != SimilarityFunction.DOT) {
            throw new IllegalArgumentException("An index ranks by cosine or dot, not by " + similarity + ".");
        }
        if (storage != Precision.FP32 && storage != Precision.FP16 && storage != Precision.BF16) {
            throw new IllegalArgumentException("An index stores fp32, fp16 or bf16, not " + storage + ".");
        }
    }

    /**
     * Exact cosine of fp32 vectors with numbers as ids, on the CPU.
     *
     * @return the defaults
     */
    public static IndexOptions defaults() {
        return new IndexOptions("cpu", Precision.FP32, true, SimilarityFunction.COSINE, false);
    }

    /**
     * On another device.
     *
     * @param device {@code auto}, {@code cpu}, {@code cuda:0}
     * @return a copy
     */
    public IndexOptions withDevice(String device) {
        return new IndexOptions(device, storage, exact, similarity, stringIds);
    }

    /**
     * With another storage.
     *
     * @param storage fp32, fp16 or bf16
     * @return a copy
     */
    public IndexOptions withStorage(Precision storage) {
        return new IndexOptions(device, storage, exact, similarity, stringIds);
    }

    /**
     * With or without scoring candidates again.
     *
     * @param exact false for approximate results
     * @return a copy
     */
    public IndexOptions withExact(boolean exact) {
        return new IndexOptions(device, storage, exact, similarity, stringIds);
    }

    /**
     * With another similarity.
     *
     * @param similarity cosine or dot product
     * @return a copy
     */
    public IndexOptions withSimilarity(SimilarityFunction similarity) {
        return new IndexOptions(device, storage, exact, similarity, stringIds);
    }

    /**
     * With strings or numbers as ids.
     *
     * @param stringIds true for strings
     * @return a copy
     */
    public IndexOptions withStringIds(boolean stringIds) {
        return new IndexOptions(device, storage, exact, similarity, stringIds);
    }
}
