// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.family.ModelFamily;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A model's tensors by role. The encoder's go by the family's names, behind the prefix that its file puts before them;
 * each head module has files of its own, with sentence-transformers' names.
 */
final class NamedWeights implements WeightSource {
    private static final Map<WeightRole, String> HEAD_NAMES = Map.of(
            WeightRole.HEAD_DENSE, "linear.weight",
            WeightRole.HEAD_DENSE_BIAS, "linear.bias",
            WeightRole.HEAD_NORM_GAIN, "norm.weight",
            WeightRole.HEAD_NORM_BIAS, "norm.bias");

    private final Map<WeightRole, String> names;
    private final String prefix;
    private final WeightFiles encoder;
    private final List<WeightFiles> head;

    private NamedWeights(ModelFamily family, String prefix, WeightFiles encoder, List<WeightFiles> head) {
        this.names = family.parameterNames();
        this.prefix = prefix;
        this.encoder = encoder;
        this.head = head;
    }

    /**
     * Finds the prefix and checks that every weight of the spec is there, with its shape, in floating point.
     *
     * @param head the files of each head module; none for modules without weights
     * @throws ModelFormatException if one is missing or has another shape or type
     */
    static NamedWeights of(ModelFamily family, EncoderSpec spec, WeightFiles encoder, List<WeightFiles> head) {
        String embedding = Objects.requireNonNull(family.parameterNames().get(WeightRole.TOKEN_EMBEDDING));
        String prefix = family.prefixes().stream()
                .filter(candidate -> alternatives(candidate, embedding).anyMatch(encoder.tensors()::containsKey))
                .findFirst()
                .orElseThrow(() -> new ModelFormatException(
                        HelpTopic.MISSING_TENSOR,
                        encoder.source() + " has no tensor " + embedding + ", also not behind a prefix ("
                                + String.join(", ", family.prefixes()) + ")."));
        NamedWeights weights = new NamedWeights(family, prefix, encoder, head);
        spec.weightShapes().forEach(weights::check);
        return weights;
    }

    private void check(WeightShape wanted) {
        WeightFiles files = files(wanted.role(), wanted.index());
        WeightTensor found = find(wanted.role(), wanted.index())
                .orElseThrow(() -> new ModelFormatException(
                        HelpTopic.MISSING_TENSOR,
                        files.source() + " has no tensor "
                                + name(wanted.role(), wanted.index())
                                        .map(name -> alternatives(wanted.role().perHeadModule() ? "" : prefix, name)
                                                .collect(Collectors.joining(" or ")))
                                        .orElse(wanted.role().toString())
                                + ", which the configuration calls for."));
        if (!found.shape().equals(wanted.shape())) {
            throw new ModelFormatException(
                    HelpTopic.MISSING_TENSOR,
                    files.source() + ": tensor " + found.name() + " has shape " + found.shape()
                            + ", but the configuration calls for " + wanted.shape() + ".");
        }
        if (!found.type().isFloatingPoint()) {
            throw new ModelFormatException(
                    HelpTopic.MISSING_TENSOR,
                    files.source() + ": tensor " + found.name() + " is stored as " + found.type()
                            + ". Weights must be fp64, fp32, fp16 or bf16; quantized files are not read.");
        }
    }

    @Override
    public Optional<WeightTensor> find(WeightRole role, int index) {
        Map<String, WeightTensor> tensors = files(role, index).tensors();
        return name(role, index).stream()
                .flatMap(name -> alternatives(role.perHeadModule() ? "" : prefix, name))
                .flatMap(name -> TensorPart.parse(name).of(tensors).stream())
                .findFirst();
    }

    /** A family's name may be several, of which a file has one. */
    private static Stream<String> alternatives(String prefix, String name) {
        return Stream.of(name.split("\\|")).map(prefix::concat);
    }

    private WeightFiles files(WeightRole role, int index) {
        return role.perHeadModule() ? head.get(index) : encoder;
    }

    /** Without the prefix. */
    private Optional<String> name(WeightRole role, int index) {
        return role.perHeadModule()
                ? Optional.ofNullable(HEAD_NAMES.get(role))
                : Optional.ofNullable(names.get(role)).map(name -> name.replace("%d", Integer.toString(index)));
    }
}
