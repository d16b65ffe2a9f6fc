// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import java.io.Serializable;
import java.util.List;

/**
 * Pooling of a text's token vectors: one mode, or several whose vectors are concatenated in order.
 *
 * <pre>{@code
 * PoolingSpec mean = PoolingSpec.of(PoolingMode.MEAN);
 * if (mean.outputSize(384) != 384) throw new AssertionError();
 * }</pre>
 *
 * @param modes at least one
 * @param includePrompt whether the tokens of a prompt are pooled too
 * @since 0.1
 */
public record PoolingSpec(List<PoolingMode> modes, boolean includePrompt) implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Copies the list and checks that it is not empty. */
    public PoolingSpec {
        modes = List.copyOf(modes);
        if (modes.isEmpty()) {
            throw new IllegalArgumentException("Pooling needs at least one mode.");
        }
    }

    /**
     * Pooling of all tokens.
     *
     * @param modes at least one
     * @return the description
     */
    public static PoolingSpec of(PoolingMode... modes) {
        return new PoolingSpec(List.of(modes), true);
    }

    /**
     * Returns the length of the pooled vector.
     *
     * @param hiddenSize H
     * @return H times the number of modes
     */
    public int outputSize(int hiddenSize) {
        return hiddenSize * modes.size();
    }
}
