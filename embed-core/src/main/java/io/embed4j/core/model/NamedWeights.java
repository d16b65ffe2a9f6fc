// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.ModelFormatException;
import io.embed4j.core.family.ModelFamily;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.util.Map;
import java.util.Optional;

/** A model's tensors by role: family names, with the prefix that this file puts before them. */
final class NamedWeights implements WeightSource {
    private final ModelFamily family;
    private final Map<String, WeightTensor> tensors;
    private final String prefix;

    private NamedWeights(ModelFamily family, Map<String, WeightTensor> tensors, String prefix) {
        this.family = family;
        this.tensors = tensors;
        this.prefix = prefix;
    }

    /**
     * Finds the prefix and checks that every weight of the spec is there, with its shape, in floating point.
     *
     * @param source where the tensors come from, for messages
     * @throws ModelFormatException if one is missing or has another shape or type
     */
    static NamedWeights of(String source, ModelFamily family, EncoderSpec spec, Map<String, WeightTensor> tensors) {
        String embedding = family.parameterName(WeightRole.TOKEN_EMBEDDING, 0).orElseThrow();
        String prefix = family.prefixes().stream()
                .filter(candidate -> tensors.containsKey(candidate + embedding))
                .findFirst()
                .orElseThrow(() -> new ModelFormatException(source + " has no tensor " + embedding
                        + ", also not behind a prefix (" + String.join(", ", family.prefixes()) + ")."));
        NamedWeights weights = new NamedWeights(family, tensors, prefix);
        for (WeightShape wanted : spec.weightShapes()) {
            weights.check(source, wanted);
        }
        return weights;
    }

    private void check(String source, WeightShape wanted) {
        WeightTensor found = find(wanted.role(), wanted.index())
                .orElseThrow(() -> new ModelFormatException(source + " has no tensor "
                        + family.parameterName(wanted.role(), wanted.index())
                                .map(name -> prefix + name)
                                .orElse(wanted.role().toString())
                        + ", which config.json calls for."));
        if (!found.shape().equals(wanted.shape())) {
            throw new ModelFormatException(source + ": tensor " + found.name() + " has shape " + found.shape()
                    + ", but config.json calls for " + wanted.shape() + ".");
        }
        if (!found.type().isFloatingPoint()) {
            throw new ModelFormatException(source + ": tensor " + found.name() + " is stored as " + found.type()
                    + ". Weights must be fp64, fp32, fp16 or bf16; quantized files are not read.");
        }
    }

    @Override
    public Optional<WeightTensor> find(WeightRole role, int index) {
        return family.parameterName(role, index).map(name -> tensors.get(prefix + name));
    }
}
