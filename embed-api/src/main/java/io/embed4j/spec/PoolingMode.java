// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * How the [n, H] token vectors of one text become one vector. Names and formulas as in sentence-transformers' Pooling.
 *
 * <pre>{@code
 * PoolingMode mode = PoolingMode.MEAN;
 * }</pre>
 *
 * @since 0.1
 */
public enum PoolingMode {
    /** The first token; the first behind a prompt that is not pooled. */
    CLS,
    /** Sum over tokens / n. */
    MEAN,
    /** Maximum over tokens, per number. */
    MAX,
    /** Sum over tokens / sqrt(n). */
    MEAN_SQRT_LENGTH,
    /** Mean weighted by place: 1, 2, ..., n. */
    WEIGHTED_MEAN,
    /** The last token. */
    LAST_TOKEN
}
