// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.spec.PoolingSpec;
import java.util.List;

/**
 * What an encoder is to return for a batch.
 *
 * <pre>{@code
 * OutputRequest tokens = new OutputRequest.Tokens(List.of(6));
 * }</pre>
 *
 * @since 0.1
 */
public sealed interface OutputRequest {

    /**
     * One vector per row, [B, dimension]: pooling, the spec's head without a closing Normalize, the first
     * {@code dimension} numbers, then division by the Euclidean norm if asked.
     *
     * <pre>{@code
     * OutputRequest request = new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.CLS), 384, true);
     * }</pre>
     *
     * @param pooling how rows become vectors
     * @param dimension how many leading numbers are kept
     * @param normalize whether vectors get unit length
     */
    record Pooled(PoolingSpec pooling, int dimension, boolean normalize) implements OutputRequest {}

    /**
     * Token vectors, [T, H] per layer: the hidden state behind each named layer, one after the other; behind the last
     * layer it includes the final norm.
     *
     * <pre>{@code
     * OutputRequest request = new OutputRequest.Tokens(List.of(12));
     * }</pre>
     *
     * @param layers 1 to L; 0 for the embeddings before the first layer
     */
    record Tokens(List<Integer> layers) implements OutputRequest {
        /** Copies the list. */
        public Tokens {
            layers = List.copyOf(layers);
        }
    }
}
