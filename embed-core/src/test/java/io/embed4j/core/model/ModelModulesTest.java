// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.ModelFormatException;
import io.embed4j.SimilarityFunction;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.Activation;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** modules.json and what it names: pooling, heads, prompts, lengths, settings for search. */
class ModelModulesTest extends ModelCopies {
    // modules.json and what it names

    @Test
    void anUnknownModuleIsNamed() {
        refused(
                oldLayout().setModule(2, "type", "sentence_transformers.models.CNN"),
                UnsupportedModelException.class,
                "modules.json: the module type \"sentence_transformers.models.CNN\" is not supported. Known are"
                        + " Transformer, Pooling, Dense, LayerNorm, Dropout and Normalize.");
    }

    /** Without modules.json a model pools by the mean; with it, it must say how. */
    @Test
    void modulesWithoutPoolingAreRefused() {
        refused(
                oldLayout()
                        .write(
                                "modules.json",
                                "[{\"type\": \"sentence_transformers.models.Transformer\", \"path\": \"\"},"
                                        + " {\"type\": \"sentence_transformers.models.Normalize\", \"path\": \"2_Normalize\"}]"),
                UnsupportedModelException.class,
                "modules.json",
                "no Pooling",
                "ColBERT");
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../elsewhere", "/etc", "1_Pooling/../../x"})
    void aModulePathThatLeavesTheDirectoryIsRefused(String path) {
        refused(
                oldLayout().setModule(1, "path", path),
                UnsupportedModelException.class,
                "modules.json: the module path \"" + path + "\" leaves the model's directory.");
    }

    @Test
    void aModulePathThatIsNoneIsNamed() {
        refused(
                oldLayout().setModule(1, "path", "nul\0byte"),
                ModelFormatException.class,
                "modules.json: the module path \"nul\0byte\" is not a path");
    }

    @Test
    void modulesMustBeObjectsWithTypeAndPath() {
        refused(oldLayout().write("modules.json", "[5]"), ModelFormatException.class, "must hold JSON objects only");
        refused(newLayout().write("modules.json", "[{}]"), ModelFormatException.class, "has no \"type\"");
    }

    @Test
    void denseAndLayerNormBringTheirOwnWeights() throws IOException {
        ModelCopy model = newLayout();
        model.write("modules.json", """
                [{"type": "sentence_transformers.models.Transformer", "path": ""},
                 {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                 {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]""");
        model.write("2_Dense/config.json", """
                {"in_features": 36, "out_features": 701, "bias": false,
                 "activation_function": "torch.nn.modules.linear.Identity"}""");
        // Any file with a tensor of the right name and shape will do: the token table, [701, 36].
        ModelCopy dense = new ModelCopy(model.file("2_Dense"));
        Files.copy(model.file("model.safetensors"), dense.file("model.safetensors"));
        dense.editTensors(header -> header.add("linear.weight", header.remove("embeddings.word_embeddings.weight")));
        ModelDefinition definition = model.load();
        assertThat(definition.spec().outputSize()).isEqualTo(701);
        assertThat(definition.spec().head()).containsExactly(new HeadModule.Dense(36, 701, false, Activation.IDENTITY));
        assertThat(definition.weights().get(WeightRole.HEAD_DENSE, 0).region().file())
                .isEqualTo(dense.file("model.safetensors").toRealPath());
        refused(
                model.set("2_Dense/config.json", "bias", "true"),
                ModelFormatException.class,
                "2_Dense/model.safetensors has no tensor linear.bias");
        refused(
                model.set("2_Dense/config.json", "in_features", "35"),
                ModelFormatException.class,
                "expects 35 numbers but gets 36.");
        refused(
                model.set("2_Dense/config.json", "activation_function", "\"torch.nn.Mish\""),
                UnsupportedModelException.class,
                "the activation \"activation_function\": \"torch.nn.Mish\" is unknown.");
        refused(
                model.set("2_Dense/config.json", "use_residual", "true"),
                UnsupportedModelException.class,
                "\"use_residual\": true is not supported.");
    }

    // Pooling

    private static List<PoolingMode> modes(ModelCopy model, String config) {
        return model.write("1_Pooling/config.json", config)
                .load()
                .spec()
                .pooling()
                .modes();
    }

    @Test
    void poolingIsReadUnderItsOldAndItsNewKeys() {
        ModelCopy model = oldLayout();
        assertThat(modes(model, "{\"pooling_mode\": \"mean\"}")).containsExactly(PoolingMode.MEAN);
        assertThat(modes(model, "{\"pooling_mode\": [\"weightedmean\", \"cls\", \"lasttoken\"]}"))
                .containsExactly(PoolingMode.WEIGHTED_MEAN, PoolingMode.CLS, PoolingMode.LAST_TOKEN);
        assertThat(modes(model, "{\"pooling_mode_mean_tokens\": true}")).containsExactly(PoolingMode.MEAN);
        assertThat(modes(model, """
                        {"pooling_mode_lasttoken": true, "pooling_mode_weightedmean_tokens": true,
                         "pooling_mode_mean_sqrt_len_tokens": true, "pooling_mode_mean_tokens": true,
                         "pooling_mode_max_tokens": true, "pooling_mode_cls_token": true}"""))
                .as("the order in which sentence-transformers concatenates")
                .containsExactly(
                        PoolingMode.CLS,
                        PoolingMode.MAX,
                        PoolingMode.MEAN,
                        PoolingMode.MEAN_SQRT_LENGTH,
                        PoolingMode.WEIGHTED_MEAN,
                        PoolingMode.LAST_TOKEN);
        assertThat(model.load().spec().outputSize()).isEqualTo(6 * 48);
    }

    @Test
    void promptsMayBeLeftOutOfPooling() {
        ModelCopy model = oldLayout().set("1_Pooling/config.json", "include_prompt", "false");
        assertThat(model.load().spec().pooling()).isEqualTo(new PoolingSpec(List.of(PoolingMode.CLS), false));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"pooling_mode\": \"median\"} | \"pooling_mode\": \"median\" is unknown. Known are cls, mean,",
                "{\"pooling_mode\": []} | switches no pooling mode on.",
                "{\"pooling_mode_mean_tokens\": false} | switches no pooling mode on.",
                "{} | switches no pooling mode on.",
            })
    void poolingThatIsUnknownIsNamed(String config, String saying) {
        refused(
                oldLayout().write("1_Pooling/config.json", config),
                UnsupportedModelException.class,
                "1_Pooling/config.json",
                saying);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"{\"pooling_mode\": 5}", "{\"pooling_mode\": [5]}", "{\"pooling_mode_cls_token\": \"yes\"}"})
    void poolingOfTheWrongTypeIsNamed(String config) {
        refused(oldLayout().write("1_Pooling/config.json", config), ModelFormatException.class, "must be", "found");
    }

    // Maximum length and prompts

    @ParameterizedTest
    @CsvSource({"130, 130", "131, 130", "512, 130", "1, 1", "null, 130"})
    void maxSeqLengthIsKeptWithinThePositions(String value, int expected) {
        ModelCopy model = oldLayout().set("sentence_bert_config.json", "max_seq_length", value);
        assertThat(model.load().maxTokens()).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"100, 100", "100.0, 100", "1e30, 130", "1000000000000000019884624838656, 130", "null, 130"})
    void modelMaxLengthCountsWhereThereIsNoMaxSeqLength(String value, int expected) {
        ModelCopy model =
                oldLayout().delete("sentence_bert_config.json").set("tokenizer_config.json", "model_max_length", value);
        assertThat(model.load().maxTokens()).isEqualTo(expected);
    }

    @Test
    void withoutAnyLengthPositionsDecide() {
        ModelCopy model = oldLayout().delete("sentence_bert_config.json").delete("tokenizer_config.json");
        assertThat(model.load().maxTokens()).isEqualTo(130);
    }

    @Test
    void lengthsThatCannotBeAreNamed() {
        refused(
                oldLayout().set("sentence_bert_config.json", "max_seq_length", "0"),
                ModelFormatException.class,
                "max_seq_length must be positive, found 0.");
        for (String value : List.of("0", "-1", "NaN", "\"long\"")) {
            refused(
                    newLayout().set("tokenizer_config.json", "model_max_length", value),
                    ModelFormatException.class,
                    "model_max_length");
        }
    }

    @Test
    void promptsAreRead() {
        ModelCopy model = oldLayout()
                .set("config_sentence_transformers.json", "prompts", "{\"query\": \"q: \", \"passage\": \"p: \"}")
                .set("config_sentence_transformers.json", "default_prompt_name", "\"query\"");
        assertThat(model.load().prompts()).isEqualTo(Map.of("query", "q: ", "passage", "p: ", "document", ""));
        assertThat(model.load().info().defaultPrompt()).contains("q: ");
        refused(
                model.set("config_sentence_transformers.json", "prompts", "{\"query\": 5}"),
                ModelFormatException.class,
                "\"query\" must be a string, found 5.");
    }

    // Settings for search

    @Test
    void settingsForSearchAreRead() {
        ModelDefinition model = ModelLoader.load(Fixture.load(Fixture.RETRIEVAL).model());
        assertThat(model.similarity()).isEqualTo(SimilarityFunction.EUCLIDEAN);
        assertThat(model.dimension()).isEqualTo(12);
        assertThat(model.spec().outputSize()).isEqualTo(16);
        assertThat(model.defaultPromptName()).isEqualTo("clustering");
        ModelDefinition plain = plain().load();
        assertThat(plain.similarity()).isEqualTo(SimilarityFunction.COSINE);
        assertThat(plain.dimension()).isEqualTo(plain.spec().outputSize());
    }

    @Test
    void settingsForSearchThatCannotBeHonouredAreRefused() {
        String file = "config_sentence_transformers.json";
        refused(
                oldLayout().set(file, "similarity_fn_name", "\"maxsim\""),
                UnsupportedModelException.class,
                "similarity_fn_name",
                "\"maxsim\"",
                "cosine, dot, euclidean, manhattan");
        refused(
                oldLayout().set(file, "default_prompt_name", "\"quarry\""),
                ModelFormatException.class,
                "default_prompt_name",
                "\"quarry\"",
                "document, query");
        refused(oldLayout().set(file, "truncate_dim", "0"), ModelFormatException.class, "truncate_dim", "found 0");
        refused(
                oldLayout().set("sentence_bert_config.json", "transformer_task", "\"fill-mask\""),
                UnsupportedModelException.class,
                "transformer_task",
                "\"fill-mask\"");
        refused(
                copy("bert-dense-h32-a4").set("2_Dense/config.json", "module_input_name", "\"token_embeddings\""),
                UnsupportedModelException.class,
                "module_input_name",
                "\"token_embeddings\"");
    }

    @Test
    void aPromptThatIsNullIsNone() {
        ModelCopy model = oldLayout().set("config_sentence_transformers.json", "prompts", "{\"query\": null}");
        assertThat(model.load().prompts()).isEqualTo(Map.of("query", "", "document", ""));
    }
}
