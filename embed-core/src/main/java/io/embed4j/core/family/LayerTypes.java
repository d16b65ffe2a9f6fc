// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.core.file.JsonConfig;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/** Which layers see the whole text and which a window, as {@code layer_types} of config.json or an older rule says. */
final class LayerTypes {
    private LayerTypes() {}

    /**
     * One of two types for each layer.
     *
     * @param layerCount L
     * @param global the type of layers that see the whole text
     * @param local the type of the others
     * @param isGlobal the rule where config.json has no list
     */
    static List<String> read(JsonConfig config, int layerCount, String global, String local, IntPredicate isGlobal) {
        List<String> types = config.strings("layer_types");
        if (types.isEmpty()) {
            return IntStream.range(0, layerCount)
                    .mapToObj(layer -> isGlobal.test(layer) ? global : local)
                    .toList();
        }
        if (types.size() != layerCount || !Set.of(global, local).containsAll(types)) {
            throw config.notSupported("layer_types", layerCount + " of " + global + " and " + local + " are.");
        }
        return types;
    }
}
