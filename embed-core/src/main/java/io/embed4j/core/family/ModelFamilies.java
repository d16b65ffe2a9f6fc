// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.HelpTopic;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import java.util.List;
import java.util.stream.Collectors;

/** All families, by the {@code model_type} of config.json. */
public final class ModelFamilies {
    private static final List<ModelFamily> ALL = List.of(
            new AlbertFamily(),
            new BertFamily(),
            new DistilBertFamily(),
            new Gemma3Family(),
            new GteFamily(),
            new ModernBertFamily(),
            new MpnetFamily(),
            new NomicBertFamily(),
            new QwenFamily(),
            new T5Family());

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

    /**
     * Translates config.json.
     *
     * @throws UnsupportedModelException if the family is unknown, or a value cannot be honoured; it names key and value
     */
    public static EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head) {
        EncoderSpec spec = of(config).spec(config, pooling, head);
        ArchitectureKeys.refuseUnread(config);
        return spec;
    }

    private static String knownTypes() {
        return ALL.stream()
                .flatMap(family -> family.modelTypes().stream())
                .sorted()
                .collect(Collectors.joining(", "));
    }
}
