// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.ModelFormatException;
import io.embed4j.spec.DType;
import io.embed4j.spec.WeightRole;
import io.embed4j.spec.WeightShape;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A model's outline is the same whether its weights are there or not. */
class ModelOutlineTest {
    @TempDir
    private Path temporary;

    private ModelCopy copy(String fixture) {
        return ModelCopy.of(fixture, temporary.resolve(fixture));
    }

    private static ModelCopy withoutWeights(ModelCopy model) throws IOException {
        try (Stream<Path> files = Files.walk(model.directory())) {
            for (Path file : files.toList()) {
                if (Files.isRegularFile(file)
                        && (!file.toString().endsWith(".json") || file.endsWith("tokenizer.json"))) {
                    Files.delete(file);
                }
            }
        }
        return model;
    }

    private static ModelOutline outline(ModelCopy model) {
        return ModelLoader.outline(model.directory().toString());
    }

    static List<String> tinyModels() {
        return Fixture.TINY;
    }

    @ParameterizedTest
    @MethodSource("tinyModels")
    void theJsonFilesSayItAll(String fixture) throws IOException {
        ModelCopy model = copy(fixture);
        ModelDefinition whole = model.load();
        ModelOutline before = outline(model);
        ModelOutline after = outline(withoutWeights(model));
        assertThat(before.spec()).isEqualTo(whole.spec());
        assertThat(after.spec()).isEqualTo(whole.spec());
        assertThat(List.of(before.maxTokens(), after.maxTokens())).containsOnly(whole.maxTokens());
        assertThat(after.name()).isEqualTo(fixture);
        for (WeightShape shape : whole.spec().weightShapes()) {
            DType stored = whole.weights().get(shape.role(), shape.index()).type();
            assertThat(before.stored().type(shape.role(), shape.index())).isEqualTo(stored);
        }
        assertThatThrownBy(model::load).isInstanceOf(ModelFormatException.class);
    }

    @Test
    void thePathOfConfigJsonWillDo() throws IOException {
        ModelCopy model = withoutWeights(copy("bert-h48-a2"));
        ModelOutline outline = ModelLoader.outline(model.file("config.json").toString());
        assertThat(outline.spec()).isEqualTo(outline(model).spec());
        assertThat(outline.name()).isEqualTo("bert-h48-a2");
        assertThatThrownBy(() -> ModelLoader.outline(model.file("modules.json").toString()))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("modules.json\" is not a directory");
    }

    @Test
    void configJsonAloneWillDo() throws IOException {
        Path directory = Files.createDirectory(temporary.resolve("alone"));
        Files.copy(copy("bert-h40-a5").file("config.json"), directory.resolve("config.json"));
        ModelOutline outline = ModelLoader.outline(directory.toString());
        assertThat(outline.spec().hiddenSize()).isEqualTo(40);
        assertThat(outline.maxTokens()).isEqualTo(512);
    }

    @ParameterizedTest
    @CsvSource({
        "torch_dtype, float16, FP16",
        "dtype, bfloat16, BF16",
        "torch_dtype, float32, FP32",
        "torch_dtype, float64, FP32",
    })
    void storageIsWhatConfigJsonDeclares(String key, String value, DType expected) throws IOException {
        ModelCopy model = withoutWeights(copy("bert-h40-a5"))
                .remove("config.json", "torch_dtype")
                .remove("config.json", "dtype")
                .set("config.json", key, '"' + value + '"');
        assertThat(outline(model).stored().type(WeightRole.QUERY, 1)).isEqualTo(expected);
    }

    @Test
    void anIndexWithoutItsShardsIsOnlyConfiguration() throws IOException {
        ModelCopy model = copy("xlm-roberta-h48-a2");
        assertThat(model.file("model.safetensors.index.json")).exists();
        ModelOutline whole = outline(model);
        for (int shard = 1; shard <= 4; shard++) {
            model.delete("model-%05d-of-00004.safetensors".formatted(shard));
            assertThat(outline(model).spec()).isEqualTo(whole.spec());
        }
    }
}
