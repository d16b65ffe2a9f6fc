// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.spec.DType;
import io.embed4j.spec.WeightRole;

/**
 * How a model's weights are stored: what a plan has to know of them beside their shapes, which the spec gives
 * ({@link io.embed4j.spec.WeightShape}). A model of which only config.json is there has no more.
 *
 * <pre>{@code
 * WeightTypes half = WeightTypes.all(DType.FP16);
 * if (half.type(WeightRole.QUERY, 3) != DType.FP16) throw new AssertionError();
 * }</pre>
 *
 * @since 0.1
 */
@FunctionalInterface
public interface WeightTypes {

    /**
     * Returns how a weight's numbers are stored.
     *
     * @param role what it does
     * @param index the layer, or the head module's place; 0 for roles that exist once
     * @return a floating point type
     */
    DType type(WeightRole role, int index);

    /**
     * All weights in one type.
     *
     * @param type the type
     * @return the description
     */
    static WeightTypes all(DType type) {
        return (role, index) -> type;
    }
}
