// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;
import java.util.Optional;

/**
 * What config.json says of rotary positions: {@code rope_parameters} since transformers 5, before that {@code rope_theta}
 * and {@code rope_scaling}.
 */
final class RotaryConfig {
    private RotaryConfig() {}

    /**
     * One rotation for all layers.
     *
     * @param rotaryDimension how many numbers of a head are turned
     * @param defaultTheta where config.json has none
     */
    static RotarySpec read(JsonConfig config, int rotaryDimension, double defaultTheta) {
        Optional<JsonConfig> parameters = config.optionalObject("rope_parameters");
        double theta = parameters.isPresent()
                ? parameters.get().doubleValue("rope_theta", defaultTheta)
                : config.doubleValue("rope_theta", defaultTheta);
        RopeScaling scaling = parameters
                .or(() -> config.optionalObject("rope_scaling"))
                .map(RotaryConfig::scaling)
                .orElse(RopeScaling.none());
        return spec(theta, rotaryDimension, scaling);
    }

    /**
     * The rotation of one kind of layers.
     *
     * @param layerType its key in {@code rope_parameters}
     * @param oldKey the key of its theta before transformers 5
     */
    static RotarySpec read(
            JsonConfig config, String layerType, String oldKey, int rotaryDimension, double defaultTheta) {
        if (config.has("rope_scaling")) {
            throw new UnsupportedModelException(config.source() + ": \"rope_scaling\": "
                    + config.json().get("rope_scaling") + " is not supported; null is.");
        }
        Optional<JsonConfig> parameters =
                config.optionalObject("rope_parameters").flatMap(all -> all.optionalObject(layerType));
        double theta = parameters.isPresent()
                ? parameters.get().doubleValue("rope_theta", defaultTheta)
                : config.doubleValue(oldKey, defaultTheta);
        return spec(
                theta, rotaryDimension, parameters.map(RotaryConfig::scaling).orElse(RopeScaling.none()));
    }

    private static RotarySpec spec(double theta, int rotaryDimension, RopeScaling scaling) {
        return new RotarySpec(theta, rotaryDimension, RotarySpec.Pairing.HALVES, scaling);
    }

    private static RopeScaling scaling(JsonConfig parameters) {
        String key = parameters.has("rope_type") ? "rope_type" : "type";
        String type = parameters.optionalString(key).orElse("default");
        PostNormEncoder.require(parameters, "partial_rotary_factor", "1.0");
        return switch (type) {
            case "default" -> RopeScaling.none();
            case "linear" -> new RopeScaling.Linear(parameters.doubleValue("factor"));
            default ->
                throw new UnsupportedModelException(parameters.source() + ": \"" + key + "\": \"" + type
                        + "\" is not supported; default and linear are.");
        };
    }
}
