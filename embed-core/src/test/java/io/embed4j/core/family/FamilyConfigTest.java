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
    private static final String SIZES = "\"hidden_size\": 12, \"num_attention_heads\": 2,"
            + " \"num_hidden_layers\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 8, \"max_position_embeddings\": 64";

    private static EncoderSpec spec(String modelType, String more) {
        return spec(modelType, more, "\"vocab_size\": 9");
    }

    private static EncoderSpec spec(String modelType, String more, String vocabulary) {
        JsonConfig config = JsonConfig.parse(
                "config.json",
                "{\"model_type\": \"" + modelType + "\", " + vocabulary + ", " + SIZES
                        + (more.isEmpty() ? "" : ", " + more) + "}");
        return ModelFamilies.spec(config, PoolingSpec.of(PoolingMode.MEAN), List.of());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "albert | \"num_hidden_groups\": 2 | config.json: \"num_hidden_groups\": 2 is not supported; 1 is.",
                "albert | \"embedding_size\": 12 | config.json: \"embedding_size\": 12 is not supported where it",
                "electra | \"is_decoder\": true | config.json: \"is_decoder\": true is not supported; false is.",
                "modernbert | \"layer_types\": [\"chunked\"] | config.json: \"layer_types\": [\"chunked\"] is not supported;",
                "modernbert | \"rope_scaling\": {\"type\": \"linear\"} | config.json: \"rope_scaling\": {\"type\":\"linear\"}",
                "modernbert | \"hidden_activation\": \"mish\" | the activation \"hidden_activation\": \"mish\" is unknown",
                "qwen2 | \"use_sliding_window\": true | config.json: \"use_sliding_window\": true is not supported; false is.",
                "qwen3 | \"layer_types\": [\"sliding_attention\"] | \"layer_types\": [\"sliding_attention\"] is not supported",
                "qwen3 | \"rope_scaling\": {\"rope_type\": \"yarn\"} | \"rope_type\": \"yarn\" is not supported; default, linear",
                "mistral | \"rope_scaling\": {\"type\": \"llama3\"} | \"type\": \"llama3\" is not supported; default, linear",
                "qwen2 | \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"mrope_section\": [1]} | \"mrope_section\": [1]",
                "nomic_bert | \"rope_parameters\": {\"partial_rotary_factor\": 0.5} | \"partial_rotary_factor\": 0.5 is not",
                "gemma3_text | \"sliding_window\": 8, \"attn_logit_softcapping\": 50.0 | \"attn_logit_softcapping\": 50.0 is",
                "gemma3_text | \"sliding_window\": 8, \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2} | \"type\": \"dynamic\"",
                "gte | \"position_embedding_type\": \"absolute\" | \"position_embedding_type\": \"absolute\" is not supported;",
                "new | \"layer_norm_type\": \"rms_norm\" | \"layer_norm_type\": \"rms_norm\" is not supported; layer_norm is.",
                "new | \"rope_scaling\": {\"type\": \"ntk\", \"factor\": 2, \"mixed_b\": 0.6} | \"mixed_b\": 0.6 is not supported",
                "bert | \"is_causal\": true | \"is_causal\": true is not supported; false is.",
                "eurobert | \"rope_scaling\": {\"type\": \"yarn\"} | \"type\": \"yarn\" is not supported; default, linear and",
                "mistral | \"is_causal\": false | \"is_causal\": false is not supported; true is.",
                "bert | \"use_qk_norm\": true | config.json: \"use_qk_norm\": true is not supported; this family is run without",
                "qwen3 | \"attention_multiplier\": 0.5 | \"attention_multiplier\": 0.5 is not supported; this family is run",
                "roberta | \"norm_type\": \"rms\" | \"norm_type\": \"rms\" is not supported; this family is run without that",
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
    void dynamicScalingBeginsBehindThePositionsOfTraining() {
        EncoderSpec spec = spec("qwen2", "\"rope_parameters\": {\"rope_type\": \"dynamic\", \"factor\": 3}");
        assertThat(spec.layers().get(0).attention().rotary().orElseThrow().scaling())
                .isEqualTo(new RopeScaling.Dynamic(3, 64));
        assertThat(spec.embedding().positions().usablePositions()).isEqualTo(192);
    }

    @Test
    void decodersMaySeeTheWholeText() {
        assertThat(spec("qwen2", "").layers().get(0).attention().causal()).isTrue();
        assertThat(spec("qwen2", "\"is_causal\": false")
                        .layers()
                        .get(0)
                        .attention()
                        .causal())
                .isFalse();
    }

    @Test
    void harmlessKeysOfPublishedFilesArePassedOver() {
        spec("bert", "\"attention_probs_dropout_prob\": 0.1, \"gradient_checkpointing\": true, \"pooler_type\": \"x\"");
        spec("electra", "\"embedding_size\": 6, \"summary_activation\": \"gelu\"");
        spec(
                "modernbert",
                "\"layer_norm_eps\": 1e-5, \"classifier_activation\": \"gelu\", \"deterministic_flash_attn\": true");
        spec(
                "qwen3",
                "\"head_dim\": 6, \"max_window_layers\": 28, \"sliding_window\": 32768, \"attention_dropout\": 0.0");
        spec("gemma3_text", "\"sliding_window\": 8, \"final_logit_softcapping\": 30.0, \"_sliding_window_pattern\": 2");
    }

    /** nomic-embed-text-v1.5: its own keys say what transformers' keys say. */
    @Test
    void nomicBertIsReadUnderItsOwnKeysToo() {
        JsonConfig own = JsonConfig.parse("config.json", """
                {"model_type": "nomic_bert", "n_embd": 12, "n_head": 2, "n_layer": 4, "n_inner": 8, "n_positions": 64,
                 "vocab_size": 9, "pad_vocab_size_multiple": 4, "activation_function": "swiglu", "rotary_emb_base": 1000,
                 "rotary_emb_fraction": 1.0, "rotary_emb_scale_base": null, "rotary_scaling_factor": null,
                 "layer_norm_epsilon": 1e-12, "type_vocab_size": 2, "qkv_proj_bias": false, "use_flash_attn": true}""");
        assertThat(ModelFamilies.spec(own, PoolingSpec.of(PoolingMode.MEAN), List.of()))
                .isEqualTo(spec("nomic_bert", "\"layer_norm_eps\": 1e-12", "\"vocab_size\": 12"));
    }

    /** Factor and theta as in gte-base-en-v1.5, and what they are in transformers' terms. */
    @Test
    void ntkScalingOfGteIsLinearWithAnotherTheta() {
        assertThat(spec("new", "\"rope_theta\": 500000, \"rope_scaling\": {\"type\": \"ntk\", \"factor\": 2.0}"))
                .isEqualTo(spec(
                        "gte",
                        "\"rope_parameters\": {\"rope_type\": \"linear\", \"rope_theta\": 1000000.0, \"factor\": "
                                + Math.pow(2, 2 / 6.0) + "}"));
    }

    @Test
    void aWindowInBothDirectionsHasHalfOnEachSide() {
        String window = "\"sliding_window\": 512, \"use_bidirectional_attention\": ";
        assertThat(spec("gemma3_text", window + true)
                        .layers()
                        .get(0)
                        .attention()
                        .windowDistance())
                .hasValue(256);
        assertThat(spec("gemma3_text", window + false)
                        .layers()
                        .get(0)
                        .attention()
                        .windowDistance())
                .hasValue(511);
    }

    @Test
    void mistralsWindowHasTheTokenItselfInIt() {
        assertThat(window("\"sliding_window\": 16")).hasValue(15);
        assertThat(window("")).hasValue(4095);
        assertThat(window("\"sliding_window\": null")).isEmpty();
    }

    private static OptionalInt window(String more) {
        return spec("mistral", more).layers().get(0).attention().windowDistance();
    }
}
