// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EmbeddingSpec.PositionsInAttention;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;
import java.util.Optional;

/**
 * What config.json says of rotary positions: {@code rope_parameters} since transformers 5, before that {@code rope_theta}
 * and {@code rope_scaling}. Formulas in transformers' modeling_rope_utils.py.
 */
final class RotaryConfig {
    private static final String POSITIONS = "max_position_embeddings";

    private RotaryConfig() {}

    /**
     * One rotation for all layers.
     *
     * @param rotaryDimension how many numbers of a head are turned
     * @param defaultTheta where config.json has none
     */
    static RotarySpec read(JsonConfig config, int rotaryDimension, double defaultTheta) {
        Optional<JsonConfig> parameters =
                config.optionalObject("rope_parameters").or(() -> config.optionalObject("rope_scaling"));
        RopeScaling scaling = parameters
                .map(written -> scaling(written, config.intValue(POSITIONS, 0)))
                .orElse(RopeScaling.none());
        return spec(theta(config, parameters, "rope_theta", defaultTheta), rotaryDimension, scaling);
    }

    /**
     * The rotation of one kind of layers.
     *
     * @param layerType its key in {@code rope_parameters}
     * @param oldThetaKey the key of its theta before transformers 5
     * @param oldScalingKey the key of its scaling before transformers 5, if there was one
     */
    static RotarySpec read(
            JsonConfig config,
            String layerType,
            String oldThetaKey,
            Optional<String> oldScalingKey,
            int rotaryDimension,
            double defaultTheta) {
        Optional<JsonConfig> parameters = config.optionalObject("rope_parameters")
                .flatMap(all -> all.optionalObject(layerType))
                .or(() -> oldScalingKey.flatMap(config::optionalObject));
        RopeScaling scaling = parameters.map(written -> scaling(written, 0)).orElse(RopeScaling.none());
        return spec(theta(config, parameters, oldThetaKey, defaultTheta), rotaryDimension, scaling);
    }

    /**
     * The longest text: as long as the positions of training, times the factor of a scaling that goes with the text.
     *
     * @param trained positions of training
     */
    static PositionsInAttention positions(RotarySpec rotary, int trained) {
        return new PositionsInAttention(
                rotary.scaling() instanceof RopeScaling.Dynamic dynamic
                        ? (int) Math.ceil(trained * dynamic.factor())
                        : trained);
    }

    /** Turns as Hugging Face's code does. */
    static RotarySpec spec(double theta, int rotaryDimension, RopeScaling scaling) {
        return new RotarySpec(theta, rotaryDimension, RotarySpec.Pairing.HALVES, scaling);
    }

    private static double theta(
            JsonConfig config, Optional<JsonConfig> parameters, String oldKey, double defaultTheta) {
        double elsewhere = config.doubleValue(oldKey, defaultTheta);
        return parameters
                .map(written -> written.doubleValue("rope_theta", elsewhere))
                .orElse(elsewhere);
    }

    /**
     * Reads a scaling.
     *
     * @param trained up to how many tokens dynamic scaling changes nothing; 0 where it is not run
     */
    private static RopeScaling scaling(JsonConfig parameters, int trained) {
        String key = parameters.has("rope_type") ? "rope_type" : "type";
        String type = parameters.optionalString(key).orElse("default");
        parameters.require("partial_rotary_factor", 1);
        RopeScaling scaling = switch (type) {
            case "default" -> RopeScaling.none();
            case "linear" -> new RopeScaling.Linear(parameters.doubleValue("factor"));
            case "dynamic" -> {
                if (trained == 0) {
                    throw parameters.notSupported(key, "default and linear are, for kinds of layers.");
                }
                yield new RopeScaling.Dynamic(parameters.doubleValue("factor"), trained);
            }
            default -> throw parameters.notSupported(key, "default, linear and dynamic are.");
        };
        ArchitectureKeys.refuseUnread(parameters, parameterKey -> !parameterKey.equals("rope_theta"));
        return scaling;
    }
}
