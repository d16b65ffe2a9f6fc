// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.spec.WeightRole;
import java.util.Optional;

/** How the graph writes a linear layer. */
interface Linear {
    /**
     * Writes x times the weight, plus the bias.
     *
     * @param x [T, in]
     * @param weight [out, in]
     * @param bias [out], if there is one
     * @param index the layer
     * @return [T, out]
     */
    String apply(String x, WeightRole weight, Optional<WeightRole> bias, int index);
}
