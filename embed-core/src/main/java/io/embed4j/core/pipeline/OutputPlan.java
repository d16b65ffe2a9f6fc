// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.EmbedOptions;
import io.embed4j.ModelInfo;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.OutputRequest;

/**
 * What a call's options mean for this model.
 *
 * @param prompt put before every text
 * @param includePrompt whether the prompt's tokens are pooled
 * @param request what the encoder returns
 */
record OutputPlan(String prompt, boolean includePrompt, OutputRequest.Pooled request) {

    /**
     * Resolves options against the model.
     *
     * @throws IllegalArgumentException if a prompt name is unknown or the dimension too large
     * @throws UnsupportedModelException if another pooling does not fit the model's head
     */
    static OutputPlan of(EncoderSpec spec, ModelInfo model, EmbedOptions options) {
        PoolingSpec pooling = options.pooling() == null ? spec.pooling() : options.pooling();
        boolean hasDense = spec.head().stream().anyMatch(module -> !(module instanceof HeadModule.Normalize));
        if (hasDense && pooling.modes().size() != spec.pooling().modes().size()) {
            throw new UnsupportedModelException(
                    "Pooling " + pooling.modes() + " does not fit the model's head, which is" + " made for "
                            + spec.pooling().modes() + ".");
        }
        int full = hasDense ? spec.outputSize() : pooling.outputSize(spec.hiddenSize());
        if (options.dimension() > full) {
            throw new IllegalArgumentException("The output dimension " + options.dimension()
                    + " is larger than the model's vectors of " + full + ".");
        }
        int usual = model.dimension() < spec.outputSize() ? Math.min(full, model.dimension()) : full;
        boolean normalize = options.normalize() == null ? spec.normalizes() : options.normalize();
        return new OutputPlan(
                prompt(model, options),
                pooling.includePrompt(),
                new OutputRequest.Pooled(pooling, options.dimension() == 0 ? usual : options.dimension(), normalize));
    }

    static String prompt(ModelInfo model, EmbedOptions options) {
        if (options.prompt() != null) {
            return options.prompt();
        }
        String name = options.promptName();
        if (name == null && options.role() != null) {
            name = options.role().promptName();
        }
        if (name == null) {
            return model.defaultPrompt().orElse("");
        }
        String prompt = model.prompts().get(name);
        if (prompt == null) {
            throw new IllegalArgumentException("The model " + model.name() + " has no prompt named \"" + name
                    + "\". It has " + model.prompts().keySet() + ".");
        }
        return prompt;
    }
}
