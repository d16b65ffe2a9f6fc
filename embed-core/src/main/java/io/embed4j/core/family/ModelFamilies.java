// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.HelpTopic;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import java.util.List;
import java.util.stream.Collectors;

/** All families, by the {@code model_type} of config.json. */
public final class ModelFamilies {
    private static final List<ModelFamily> ALL = List.of(
            new AlbertFamily(),
            new BertFamily(),
            new DistilBertFamily(),
            new ElectraFamily(),
            new ModernBertFamily(),
            new MpnetFamily(),
            new NomicBertFamily(),
            new QwenFamily(),
            new RobertaFamily());

    private ModelFamilies() {}

    /**
     * Finds the family of a model.
     *
     * @throws UnsupportedModelException if it is unknown; the message lists the known ones
     */
    public static ModelFamily of(JsonConfig config) {
        String modelType = config.stringValue("model_type");
        return ALL.stream()
                .filter(family -> family.modelTypes().contains(modelType))
                .findFirst()
                .orElseThrow(() -> new UnsupportedModelException(
                        HelpTopic.UNKNOWN_FAMILY,
                        config.source() + ": the model family \"" + modelType + "\" is unknown. Known are: "
                                + knownTypes() + "."));
    }

    private static String knownTypes() {
        return ALL.stream()
                .flatMap(family -> family.modelTypes().stream())
                .sorted()
                .collect(Collectors.joining(", "));
    }
}
