// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.ModelFormatException;
import io.embed4j.spec.WeightRole;
import java.util.Optional;

/**
 * A model's weights by role.
 *
 * <pre>{@code
 * WeightSource nothing = (role, index) -> Optional.empty();
 * try {
 *     nothing.get(WeightRole.QUERY, 3);
 *     throw new AssertionError();
 * } catch (ModelFormatException e) {
 *     System.out.println(e.getMessage());
 * }
 * }</pre>
 *
 * @since 0.1
 */
@FunctionalInterface
public interface WeightSource {

    /**
     * Finds a weight.
     *
     * @param role what it does
     * @param index the layer, or the head module's place; 0 for roles that exist once
     * @return the weight, if the model has it
     */
    Optional<WeightTensor> find(WeightRole role, int index);

    /**
     * Finds a weight that must exist.
     *
     * @param role what it does
     * @param index the layer, or the head module's place; 0 for roles that exist once
     * @return the weight
     * @throws ModelFormatException if the model does not have it
     */
    default WeightTensor get(WeightRole role, int index) {
        return find(role, index)
                .orElseThrow(() -> new ModelFormatException(
                        "The model has no weight for " + role + (role.perLayer() ? " of layer " + index : "") + "."));
    }

    /**
     * Returns how the weights are stored.
     *
     * @return the type of each
     */
    default WeightTypes types() {
        return (role, index) -> get(role, index).type();
    }
}
