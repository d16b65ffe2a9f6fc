// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.Activation;

/** The names that Hugging Face configurations give activations. Source: ACT2FN in transformers' activations.py. */
final class HuggingFaceActivations {
    private HuggingFaceActivations() {}

    static Activation read(JsonConfig config, String key, String fallback) {
        return of(config, key, config.optionalString(key).orElse(fallback));
    }

    /**
     * The activation of a name.
     *
     * @param key where the name stands, or what it is a part of
     */
    static Activation of(JsonConfig config, String key, String name) {
        return switch (name) {
            case "gelu", "gelu_python" -> Activation.GELU_ERF;
            case "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate" -> Activation.GELU_TANH;
            case "relu" -> Activation.RELU;
            case "silu", "swish" -> Activation.SILU;
            case "tanh" -> Activation.TANH;
            default ->
                throw new UnsupportedModelException(config.source() + ": the activation \"" + key + "\": \"" + name
                        + "\" is unknown. Known are gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish, tanh.");
        };
    }
}
