// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What embed4j knows of one model family: all of it is here, and nothing in a backend.
 *
 * <p>To add a family, implement this interface, name it in {@link ModelFamilies}, and add a fixture.
 */
public interface ModelFamily {
    /** More layers than any encoder has; what config.json claims beyond is damage and must not be allocated. */
    int MAX_LAYERS = 1000;

    /** The values of {@code model_type} in config.json that this family reads. */
    Set<String> modelTypes();

    /**
     * Translates config.json.
     *
     * @param config config.json
     * @param pooling from the sentence-transformers configuration
     * @param head from the sentence-transformers configuration
     * @throws io.embed4j.UnsupportedModelException if a value cannot be honoured; it names key and value
     */
    EncoderSpec spec(JsonConfig config, PoolingSpec pooling, List<HeadModule> head);

    /**
     * Hugging Face names by role, without the prefix that task models put before them. %d stands for the layer; [1/3]
     * behind a name for the second of three equal parts of a tensor, along its first axis; | between names for whichever the
     * file has.
     */
    Map<WeightRole, String> parameterNames();

    /** Prefixes that task models (masked language model, classification) put before every name; "" is tried first. */
    List<String> prefixes();
}
