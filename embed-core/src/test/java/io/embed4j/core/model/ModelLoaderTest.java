// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.embed4j.EmbedException;
import io.embed4j.ModelFormatException;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.Damage;
import io.embed4j.spec.Activation;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.WeightTensor;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelLoaderTest extends ModelCopies {
    // What is read

    @Test
    void anOldSentenceTransformersModelIsRead() {
        ModelDefinition model = ModelLoader.load(Fixture.load("bert-h48-a2").model());
        EncoderSpec spec = model.spec();
        LayerSpec layer = spec.layers().get(0);
        assertThat(spec.hiddenSize()).isEqualTo(48);
        assertThat(spec.layers()).hasSize(3).containsOnly(layer);
        assertThat(layer.attention()).isEqualTo(AttentionSpec.bidirectional(2, 24, true));
        assertThat(layer.feedForward().intermediateSize()).isEqualTo(100);
        assertThat(layer.norm().epsilon()).isEqualTo(1e-6);
        assertThat(layer.normPlacement()).isEqualTo(LayerSpec.NormPlacement.POST);
        assertThat(spec.embedding().vocabularySize()).isEqualTo(253);
        assertThat(spec.embedding().tokenTypes()).isEqualTo(2);
        assertThat(spec.embedding().positions()).isEqualTo(EmbeddingSpec.LearnedPositions.ofEveryToken(130));
        assertThat(spec.pooling()).isEqualTo(PoolingSpec.of(PoolingMode.CLS));
        assertThat(spec.head()).containsExactly(new HeadModule.Normalize());
        assertThat(model.maxTokens())
                .as("max_seq_length goes before model_max_length")
                .isEqualTo(40);
        assertThat(model.prompts()).isEqualTo(Map.of("query", "query: ", "document", ""));
        assertThat(model.defaultPromptName()).isNull();
        assertThat(model.modelType()).isEqualTo("bert");
    }

    @Test
    void aNewSentenceTransformersModelIsRead() {
        ModelDefinition model = ModelLoader.load(Fixture.load("bert-h36-a3").model());
        LayerSpec layer = model.spec().layers().get(0);
        assertThat(model.spec().layers()).hasSize(1);
        assertThat(layer.attention()).isEqualTo(AttentionSpec.bidirectional(3, 12, true));
        assertThat(layer.feedForward().intermediateSize()).isEqualTo(33);
        assertThat(layer.feedForward().activation()).isEqualTo(Activation.GELU_ERF);
        assertThat(layer.norm().epsilon()).isEqualTo(1e-12);
        assertThat(model.spec().pooling()).isEqualTo(PoolingSpec.of(PoolingMode.MEAN));
        assertThat(model.spec().head()).containsExactly(new HeadModule.Normalize());
        assertThat(model.maxTokens())
                .as("model_max_length, as there is no max_seq_length")
                .isEqualTo(64);
    }

    @Test
    void aPlainTransformersModelIsRead() {
        ModelDefinition model = ModelLoader.load(Fixture.load("bert-h40-a5").model());
        assertThat(model.spec().layers()).hasSize(2);
        assertThat(model.spec().layers().get(0).attention()).isEqualTo(AttentionSpec.bidirectional(5, 8, true));
        assertThat(model.spec().layers().get(0).feedForward().activation()).isEqualTo(Activation.GELU_TANH);
        assertThat(model.spec().pooling())
                .as("as sentence-transformers does it")
                .isEqualTo(PoolingSpec.of(PoolingMode.MEAN));
        assertThat(model.spec().head()).isEmpty();
        assertThat(model.maxTokens())
                .as("model_max_length is 1e30: positions decide")
                .isEqualTo(512);
        assertThat(model.prompts()).isEqualTo(Map.of("query", "", "document", ""));
        WeightTensor query = model.weights().get(WeightRole.QUERY, 1);
        assertThat(query.name()).isEqualTo("bert.encoder.layer.1.attention.self.query.weight");
    }

    static List<String> tinyModels() {
        return Fixture.TINY;
    }

    @ParameterizedTest
    @MethodSource("tinyModels")
    void everyWeightIsFoundWithItsShape(String fixture) {
        ModelDefinition model = ModelLoader.load(Fixture.load(fixture).model());
        long parameters = 0;
        for (WeightShape wanted : model.spec().weightShapes()) {
            WeightTensor found = model.weights().get(wanted.role(), wanted.index());
            assertThat(found.shape()).as(wanted.toString()).isEqualTo(wanted.shape());
            parameters += found.elements();
        }
        assertThat(model.info().parameterCount()).isEqualTo(parameters);
        assertThat(model.info().layerCount()).isEqualTo(model.spec().layers().size());
        assertThat(model.weights().find(WeightRole.POSITION_EMBEDDING, 0).isPresent())
                .isEqualTo(model.spec().embedding().positions() instanceof EmbeddingSpec.LearnedPositions);
    }

    @Test
    void theDirectoryMayBeWrittenInManyWays() {
        Path absolute = oldLayout().directory();
        Path relative = Path.of("").toAbsolutePath().relativize(absolute);
        for (String name :
                List.of(absolute + "/", folder + "/./copy0/../copy0", relative.toString(), "./" + relative)) {
            assertThat(ModelLoader.load(name).name()).as(name).isEqualTo("copy0");
        }
    }

    // Missing

    @Test
    void aModelThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> ModelLoader.load("/no/such/model"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("The model \"/no/such/model\" is not a directory. Give a directory with config.json,"
                        + " tokenizer.json and model.safetensors, or embedded:all-minilm-l6-v2.");
        assertThatThrownBy(() -> ModelLoader.load("nul\0byte"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is not a path");
    }

    @ParameterizedTest
    @CsvSource({"config.json, config.json is missing", "1_Pooling/config.json, 1_Pooling/config.json is missing"})
    void aMissingFileIsNamed(String name, String saying) {
        refused(oldLayout().delete(name), ModelFormatException.class, saying);
    }

    @Test
    void aMissingTokenizerComesWithTheRemedy() {
        refused(
                plain().delete("tokenizer.json"),
                ModelFormatException.class,
                "tokenizer.json is missing",
                "AutoTokenizer.from_pretrained(...).save_pretrained(...)");
    }

    @Test
    void missingWeightsComeWithTheRemedy() {
        ModelCopy model = plain().delete("model.safetensors");
        assertThatThrownBy(model::load)
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining(
                        "has no model.safetensors, model.safetensors.index.json, model.onnx or onnx/model.onnx.")
                .message()
                .doesNotContain("pickle");
        refused(
                model.write("pytorch_model.bin", ""),
                ModelFormatException.class,
                "pytorch_model.bin is a pickle and is not read: save the model again as safetensors.");
    }

    // Weights that do not fit

    @Test
    void aMissingTensorIsNamed() {
        ModelCopy model = plain().editTensors(header -> header.remove("bert.encoder.layer.1.output.dense.bias"));
        refused(
                model,
                ModelFormatException.class,
                "model.safetensors has no tensor bert.encoder.layer.1.output.dense.bias, which the configuration calls"
                        + " for.");
    }

    @Test
    void tensorsOfAnotherFamilyAreNamed() {
        ModelCopy model = plain().editTensors(header -> {
            for (String name : List.copyOf(header.keySet())) {
                header.add(name.replace("bert.", "other."), header.remove(name));
            }
        });
        refused(
                model,
                ModelFormatException.class,
                "model.safetensors has no tensor embeddings.word_embeddings.weight, also not behind a prefix"
                        + " (, bert., electra., roberta.).");
    }

    @Test
    void aWrongShapeIsShownBesideTheRightOne() {
        refused(
                plain().set("config.json", "vocab_size", "502"),
                ModelFormatException.class,
                "tensor bert.embeddings.word_embeddings.weight has shape [501, 40], but the configuration calls for [502,"
                        + " 40].");
        refused(
                newLayout()
                        .editTensor(
                                "embeddings.position_embeddings.weight", "shape", JsonParser.parseString("[36, 64]")),
                ModelFormatException.class,
                "has shape [36, 64], but the configuration calls for [64, 36].");
    }

    @Test
    void quantizedWeightsAreNamed() {
        ModelCopy model = newLayout().editTensor("embeddings.LayerNorm.bias", "dtype", new JsonPrimitive("I32"));
        refused(
                model,
                ModelFormatException.class,
                "tensor embeddings.LayerNorm.bias is stored as INT32. Weights must be fp64, fp32, fp16 or bf16; quantized"
                        + " files are not read.");
    }

    @Test
    void aCutFileIsNamed() throws IOException {
        ModelCopy model = plain();
        byte[] bytes = Files.readAllBytes(model.file("model.safetensors"));
        Files.write(model.file("model.safetensors"), Arrays.copyOf(bytes, bytes.length - 1));
        refused(model, ModelFormatException.class, "model.safetensors: tensor ", "The file is cut or damaged.");
    }

    // Shards

    @Test
    void shardsAreReadByTheirIndex() {
        ModelDefinition whole = ModelLoader.load(Fixture.load("bert-h48-a2").model());
        ModelCopy sharded = oldLayout();
        assertThat(sharded.shard(3)).hasSize(3);
        ModelDefinition model = sharded.load();
        for (WeightShape wanted : whole.spec().weightShapes()) {
            assertThat(model.weights().get(wanted.role(), wanted.index()).shape())
                    .isEqualTo(
                            whole.weights().get(wanted.role(), wanted.index()).shape());
        }
        String relative =
                Path.of("").toAbsolutePath().relativize(sharded.directory()).toString();
        assertThat(ModelLoader.load(relative).spec()).isEqualTo(model.spec());
    }

    @Test
    void aMissingShardIsNamed() {
        ModelCopy model = plain();
        String shard = model.shard(2).get(1);
        refused(model.delete(shard), ModelFormatException.class, shard + " is missing.");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"../model.safetensors", "/etc/hostname", "", ".", "sub/model.safetensors", "nul\\u0000byte"})
    void aShardThatIsNotAFileOfTheDirectoryIsRefused(String shard) {
        ModelCopy model = plain();
        model.shard(1);
        model.set("model.safetensors.index.json", "weight_map", "{\"x\": \"" + shard + "\"}");
        refused(
                model,
                ModelFormatException.class,
                "model.safetensors.index.json: the shard \"",
                "\" is not a file of the model's directory.");
    }

    @Test
    void anIndexThatLiesIsNamed() {
        ModelCopy model = plain();
        String shard = model.shard(1).get(0);
        model.set("model.safetensors.index.json", "weight_map", "{\"x\": \"" + shard + "\"}");
        refused(
                model,
                ModelFormatException.class,
                "model.safetensors.index.json says that x is in " + shard + ", but it is not there.");
        refused(
                model.write("model.safetensors.index.json", "{}"),
                ModelFormatException.class,
                "model.safetensors.index.json has no \"weight_map\".");
    }

    // config.json

    @Test
    void anUnknownFamilyListsTheKnownOnes() {
        refused(
                plain().set("config.json", "model_type", "\"bart\""),
                UnsupportedModelException.class,
                "config.json: the model family \"bart\" is unknown. Known are: albert, bert, camembert, distilbert,"
                        + " electra, eurobert, gemma3_text, gte, mistral, modernbert, mpnet, mt5, new, nomic_bert, qwen2, qwen3,"
                        + " roberta, t5, xlm-roberta.");
        refused(
                plain().remove("config.json", "model_type"),
                ModelFormatException.class,
                "config.json has no \"model_type\"; it must be a string.");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "hidden_act | \"quick_gelu\" | the activation \"hidden_act\": \"quick_gelu\" is unknown. Known are gelu,",
                "position_embedding_type | \"relative_key\" | \"position_embedding_type\": \"relative_key\" is not supported; absolute is.",
                "position_embedding_type | {} | \"position_embedding_type\": {} is not supported; absolute is.",
                "is_decoder | true | \"is_decoder\": true is not supported; false is.",
                "is_decoder | [] | \"is_decoder\": [] is not supported; false is.",
                "num_attention_heads | 7 | the hidden size 40 is not a multiple of the 7 attention heads.",
                "num_attention_heads | 0 | the hidden size 40 is not a multiple of the 0 attention heads.",
            })
    void whatCannotBeHonouredIsNamed(String key, String value, String saying) {
        refused(plain().set("config.json", key, value), UnsupportedModelException.class, "config.json: ", saying);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "hidden_size | \"wide\" | \"hidden_size\" must be a whole number, found \"wide\".",
                "hidden_size | 40.5 | \"hidden_size\" must be a whole number, found 40.5.",
                "hidden_size | -40 | Head size must lie between 1 and 256, found -8.",
                "hidden_size | 0 | Head size must lie between 1 and 256, found 0.",
                "num_hidden_layers | 0 | must be a whole number from 1 to 1000, found 0.",
                "num_hidden_layers | -2 | must be a whole number from 1 to 1000, found -2.",
                "num_hidden_layers | 2000000000 | must be a whole number from 1 to 1000, found 2000000000.",
                "num_hidden_layers | 3 | has no tensor bert.encoder.layer.2.attention.self.query.weight",
                "intermediate_size | 0 | Feed-forward width must be positive, found 0.",
                "layer_norm_eps | 0 | Norm epsilon must lie between 0 and 1, found 0.0.",
                "layer_norm_eps | 1e999 | \"layer_norm_eps\" must be a number, found 1e999.",
                "vocab_size | 0 | Embedding tables must have positive sizes, found vocabulary 0",
                "max_position_embeddings | 0 | A position table of 0 rows has no room behind offset 0.",
                "max_position_embeddings | 1e10 | \"max_position_embeddings\" must be a whole number, found 1e10.",
            })
    void whatCannotBeIsNamed(String key, String value, String saying) {
        refused(plain().set("config.json", key, value), ModelFormatException.class, saying);
    }

    @Test
    void absentKeysHaveTransformersDefaults() {
        ModelCopy model = newLayout();
        for (String key : List.of("hidden_act", "layer_norm_eps", "type_vocab_size", "is_decoder")) {
            model.remove("config.json", key);
        }
        assertThat(model.load().spec())
                .isEqualTo(ModelLoader.load(Fixture.load("bert-h36-a3").model()).spec());
    }

    // Damage

    /** Damaged models load or are refused: no other exception, no hang, no more memory than a small multiple of the files. */
    @Test
    void damagedModelsLoadOrAreRefused() throws IOException {
        ModelCopy model = oldLayout();
        List<String> names = List.of(
                "config.json",
                "modules.json",
                "1_Pooling/config.json",
                "sentence_bert_config.json",
                "tokenizer_config.json",
                "config_sentence_transformers.json",
                "model.safetensors");
        int loaded = 0;
        for (int seed = 0; seed < 2500; seed++) {
            Random random = new Random(seed);
            Path file = model.file(names.get(random.nextInt(names.size())));
            byte[] valid = Files.readAllBytes(file);
            boolean weights = file.toString().endsWith(".safetensors");
            byte[] header = weights ? Arrays.copyOf(valid, 3000) : valid;
            byte[] damaged = Damage.damaged(header, random);
            if (weights && damaged.length == header.length) {
                System.arraycopy(damaged, 0, header, 0, damaged.length);
                damaged = valid.clone();
                System.arraycopy(header, 0, damaged, 0, header.length);
            }
            Files.write(file, damaged);
            long before = Damage.allocatedBytes();
            try {
                loaded += model.load().info().maxTokens() > 0 ? 1 : 0;
            } catch (EmbedException e) {
                assertThat(e.getMessage()).as("seed %s", seed).isNotBlank();
            } catch (RuntimeException | StackOverflowError e) {
                throw new AssertionError("seed " + seed, e);
            }
            assertThat(Damage.allocatedBytes() - before).as("seed %s", seed).isLessThan(4_000_000);
            Files.write(file, valid);
        }
        assertThat(loaded).as("models that still loaded").isBetween(50, 2450);
    }
}
