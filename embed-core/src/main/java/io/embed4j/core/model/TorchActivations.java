// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.Activation;

/** The torch classes that sentence-transformers' Dense names as its activation. */
final class TorchActivations {
    private TorchActivations() {}

    static Activation read(JsonConfig config, String key) {
        String name = config.optionalString(key).orElse("torch.nn.modules.activation.Tanh");
        return switch (name.substring(name.lastIndexOf('.') + 1)) {
            case "Identity" -> Activation.IDENTITY;
            case "Tanh" -> Activation.TANH;
            case "ReLU" -> Activation.RELU;
            case "GELU" -> Activation.GELU_ERF;
            case "SiLU" -> Activation.SILU;
            case "Sigmoid" -> Activation.SIGMOID;
            default ->
                throw new UnsupportedModelException(config.source() + ": the activation \"" + key + "\": \"" + name
                        + "\" is unknown. Known are Identity, Tanh, ReLU, GELU, SiLU and Sigmoid of torch.nn.");
        };
    }
}
