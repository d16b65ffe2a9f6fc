// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DownloadListener;
import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import io.embed4j.testkit.hub.FakeHub;
import io.embed4j.testkit.hub.FakeHub.Request;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** A Hub in this process, a model on it, and what tests ask of a download. */
abstract class WithTinyHub {
    static final String NAME = "org/tiny";
    static final String WEIGHTS = "model.safetensors";
    static final int WEIGHT_BYTES = 300_000;
    static final int FOR_EVER = Integer.MAX_VALUE;

    /** Short, so that the tests are. */
    static final Patience PATIENCE = new Patience(
            Duration.ofSeconds(2),
            Duration.ofSeconds(5),
            Duration.ofMillis(300),
            3,
            Duration.ofMillis(10),
            Duration.ofSeconds(2));

    final FakeHub hub = new FakeHub();

    @TempDir
    Path folder;

    @AfterEach
    void close() {
        hub.close();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static byte[] weights(int seed) {
        byte[] content = new byte[WEIGHT_BYTES];
        new Random(seed).nextBytes(content);
        return content;
    }

    /** A sentence-transformers model as repositories look: the same weights several times. */
    static Map<String, byte[]> files() {
        Map<String, byte[]> files = new HashMap<>();
        files.put("modules.json", bytes("""
                        [{"type": "sentence_transformers.models.Transformer", "path": ""},
                         {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                         {"type": "sentence_transformers.models.Dense", "path": "2_Dense"},
                         {"type": "sentence_transformers.models.Normalize", "path": "3_Normalize"}]"""));
        files.put("config.json", bytes("{\"model_type\": \"bert\"}"));
        files.put("tokenizer.json", bytes("{}"));
        files.put("tokenizer_config.json", bytes("{\"model_max_length\": 512}"));
        files.put("sentence_bert_config.json", bytes("{\"max_seq_length\": 128}"));
        files.put("1_Pooling/config.json", bytes("{\"pooling_mode_mean_tokens\": true}"));
        files.put("2_Dense/config.json", bytes("{\"in_features\": 4}"));
        files.put("2_Dense/model.safetensors", weights(2));
        files.put(WEIGHTS, weights(1));
        for (String other : List.of(
                "pytorch_model.bin",
                "2_Dense/pytorch_model.bin",
                "onnx/model.onnx",
                "onnx/model_O4.onnx",
                "openvino/openvino_model.bin",
                "tf_model.h5",
                "README.md",
                "vocab.txt",
                "train_script.py")) {
            files.put(other, bytes("of no use: " + other));
        }
        return files;
    }

    static final List<String> CONFIGURATION = List.of(
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "config.json",
            "modules.json",
            "sentence_bert_config.json",
            "tokenizer.json",
            "tokenizer_config.json");

    static List<String> everything() {
        return Stream.concat(CONFIGURATION.stream(), Stream.of("2_Dense/model.safetensors", WEIGHTS))
                .sorted()
                .toList();
    }

    Path cache() {
        return folder.resolve("hub");
    }

    HubSettings settings() {
        return settings(Map.of());
    }

    HubSettings settings(Map<String, String> more) {
        Map<String, String> variables = new HashMap<>(Map.of(
                "HF_HUB_CACHE",
                cache().toString(),
                "HF_HOME",
                folder.resolve("home").toString(),
                "HF_ENDPOINT",
                hub.endpoint()));
        variables.putAll(more);
        return HubSettings.of(name -> variables.getOrDefault(name, "")).withPatience(PATIENCE);
    }

    Path whole(HubSettings settings, String name) {
        return new HubModel(HubName.parse("hf:" + name), settings).whole(directory -> {}, DownloadListener.NONE);
    }

    Path whole() {
        return whole(settings(), NAME);
    }

    Path whole(Map<String, String> variables) {
        return whole(settings(variables), NAME);
    }

    void refused(HelpTopic topic, String... saying) {
        refused(Map.of(), topic, saying);
    }

    void refused(Map<String, String> variables, HelpTopic topic, String... saying) {
        assertThatThrownBy(() -> whole(variables))
                .isInstanceOfSatisfying(
                        ModelDownloadException.class,
                        e -> assertThat(e.helpTopic()).as(e.getMessage()).isEqualTo(topic))
                .hasMessageContainingAll(saying);
    }

    static Map<String, byte[]> content(Path directory) throws IOException {
        Map<String, byte[]> content = new TreeMap<>();
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                content.put(directory.relativize(file).toString(), Files.readAllBytes(file));
            }
        }
        return content;
    }

    /** What lies there is that of the repository, and nothing else. */
    static void assertHolds(Path directory, List<String> paths, Map<String, byte[]> files) throws IOException {
        Map<String, byte[]> content = content(directory);
        assertThat(content.keySet()).containsExactlyElementsOf(paths);
        content.forEach((path, bytes) -> assertThat(bytes).as(path).isEqualTo(files.get(path)));
    }

    List<Request> gets(String ending) {
        return hub.requests().stream()
                .filter(request -> request.method().equals("GET"))
                .filter(request -> request.path().endsWith(ending))
                .toList();
    }

    Path model() {
        return cache().resolve("models--org--tiny");
    }

    List<String> blobs() throws IOException {
        try (Stream<Path> files = Files.list(model().resolve("blobs"))) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .sorted()
                    .toList();
        }
    }
}
