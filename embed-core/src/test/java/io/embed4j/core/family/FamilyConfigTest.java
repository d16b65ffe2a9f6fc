// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.RopeScaling;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What families read from config.json, in its old and new spelling, and what they refuse, with key and value. */
class FamilyConfigTest {
    private static final String SIZES = "\"vocab_size\": 9, \"hidden_size\": 12, \"num_attention_heads\": 2,"
            + " \"num_hidden_layers\": 4, \"intermediate_size\": 8, \"max_position_embeddings\": 64";

    private static EncoderSpec spec(String modelType, String more) {
        JsonConfig config = JsonConfig.parse(
                "config.json",
                "{\"model_type\": \"" + modelType + "\", " + SIZES + (more.isEmpty() ? "" : ", " + more) + "}");
        return ModelFamilies.of(config).spec(config, PoolingSpec.of(PoolingMode.MEAN), List.of());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "albert | \"num_hidden_groups\": 2 | config.json: \"num_hidden_groups\": 2 is not supported; 1 is.",
                "albert | \"embedding_size\": 12 | config.json: \"embedding_size\": 12 is not supported where it",
                "electra | \"is_decoder\": true | config.json: \"is_decoder\": true is not supported; false is.",
                "modernbert | \"layer_types\": [\"chunked\"] | config.json: \"layer_types\": [chunked] is not supported;",
                "modernbert | \"rope_scaling\": {\"type\": \"linear\"} | config.json: \"rope_scaling\": {\"type\":\"linear\"}",
                "modernbert | \"hidden_activation\": \"mish\" | the activation \"hidden_activation\": \"mish\" is unknown",
                "qwen2 | \"use_sliding_window\": true | config.json: \"use_sliding_window\": true is not supported; false is.",
                "qwen3 | \"layer_types\": [\"sliding_attention\"] | \"layer_types\": \"sliding_attention\" is not supported",
                "qwen3 | \"rope_scaling\": {\"rope_type\": \"yarn\"} | \"rope_type\": \"yarn\" is not supported; default and",
                "mistral | \"rope_scaling\": {\"type\": \"dynamic\"} | \"type\": \"dynamic\" is not supported; default and",
                "nomic_bert | \"rope_parameters\": {\"partial_rotary_factor\": 0.5} | \"partial_rotary_factor\": 0.5 is not",
            })
    void whatCannotBeHonouredIsNamed(String modelType, String more, String saying) {
        assertThatThrownBy(() -> spec(modelType, more))
                .isInstanceOf(UnsupportedModelException.class)
                .hasMessageContaining(saying);
    }

    @Test
    void thetasAreReadInBothSpellings() {
        EncoderSpec before = spec("modernbert", "\"global_rope_theta\": 5.0, \"local_rope_theta\": 3");
        EncoderSpec since = spec(
                "modernbert",
                "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\", \"rope_theta\": 5},"
                        + " \"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 3}}");
        assertThat(before).isEqualTo(since);
        assertThat(before.layers().get(0).attention().rotary().orElseThrow().theta())
                .isEqualTo(5);
        assertThat(before.layers().get(1).attention().rotary().orElseThrow().theta())
                .isEqualTo(3);
        assertThat(before.layers().get(3).attention().windowDistance()).isEmpty();
        assertThat(spec("qwen3", "\"head_dim\": 6, \"rope_theta\": 7, \"rope_scaling\": null"))
                .isEqualTo(spec("qwen3", "\"head_dim\": 6, \"rope_parameters\": {\"rope_theta\": 7}"));
    }

    @Test
    void linearScalingIsRead() {
        assertThat(spec("qwen2", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}")
                        .layers()
                        .get(0)
                        .attention()
                        .rotary()
                        .orElseThrow()
                        .scaling())
                .isEqualTo(new RopeScaling.Linear(4));
    }

    @Test
    void mistralsWindowHasTheTokenItselfInIt() {
        assertThat(window("\"num_key_value_heads\": 2, \"sliding_window\": 16")).hasValue(15);
        assertThat(window("\"num_key_value_heads\": 2")).hasValue(4095);
        assertThat(window("\"num_key_value_heads\": 2, \"sliding_window\": null"))
                .isEmpty();
    }

    private static OptionalInt window(String more) {
        return spec("mistral", more).layers().get(0).attention().windowDistance();
    }
}
