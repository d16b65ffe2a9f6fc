// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DownloadProgress;
import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.Embeddings;
import io.embed4j.FitReport;
import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import io.embed4j.Precision;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.Fixture;
import io.embed4j.testkit.hub.FakeHub;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models by their name on the Hub and in jars, up to their vectors: weights lie behind links, or unpacked. */
class HubTest {
    private final FakeHub hub = new FakeHub();
    private final List<String> set = new ArrayList<>();

    @TempDir
    private Path folder;

    @BeforeEach
    void nameTheHub() {
        set("HF_ENDPOINT", hub.endpoint());
        set("HF_HOME", folder.toString());
        set("HF_HUB_CACHE", folder.resolve("hub").toString());
    }

    /** System properties go before variables. */
    private void set(String name, String value) {
        System.setProperty(name, value);
        set.add(name);
    }

    @AfterEach
    void close() {
        set.forEach(System::clearProperty);
        hub.close();
    }

    private static void assertVectors(Fixture fixture, String model) {
        try (Embedder embedder = Embedder.builder().model(model).device("cpu").build()) {
            Embeddings vectors = embedder.embed(fixture.texts());
            Bar.Worst worst = new Bar.Worst();
            for (int row = 0; row < vectors.size(); row++) {
                worst.add(Bar.unitError(vectors.vector(row), fixture.vectors()[row]), "text " + row);
            }
            worst.mustPass(model, Bar.of(fixture, Precision.FP32));
        }
    }

    /** One file, four shards, a folder of its own for the transformer, a Dense module with weights of its own. */
    @ParameterizedTest
    @ValueSource(strings = {"bert-h48-a2", "xlm-roberta-h48-a2", "camembert-h40-a5", "distilbert-h48-a4"})
    void vectorsAreThoseOfTheReference(String name) {
        Fixture fixture = Fixture.load(name);
        hub.commit("org/" + name, Path.of(fixture.model()));
        assertVectors(fixture, "hf:org/" + name);
        hub.close();
        set("HF_HUB_OFFLINE", "1");
        assertVectors(fixture, "hf:org/" + name);
    }

    @Test
    void theModelIsCalledByItsNameAndItsDownloadHeard() throws Exception {
        hub.commit("org/tiny", Path.of(Fixture.load("bert-h48-a2").model()));
        List<DownloadProgress> heard = Collections.synchronizedList(new ArrayList<>());
        try (Embedder embedder = Embedder.builder()
                .model("hf:org/tiny@main")
                .device("cpu")
                .onDownload(heard::add)
                .build()) {
            assertThat(embedder.model().name()).isEqualTo("org/tiny");
        }
        DownloadProgress last = heard.get(heard.size() - 1);
        assertThat(last.bytesDone()).isEqualTo(last.bytes()).isGreaterThan(100_000);
        assertThat(EmbedderFactory.find().download("hf:org/tiny", heard::add))
                .isEqualTo(folder.resolve("hub/models--org--tiny/snapshots")
                        .resolve(Files.readString(folder.resolve("hub/models--org--tiny/refs/main"))));
    }

    @Test
    void whetherAModelFitsIsAnsweredWithoutItsWeights() {
        hub.commit("org/tiny", Path.of(Fixture.load("bert-h48-a2").model()));
        FitReport report = Embedder.builder().model("hf:org/tiny").device("cpu").fit();
        assertThat(report.model()).isEqualTo("org/tiny");
        assertThat(report.needs().weightBytes()).isGreaterThan(100_000);
        assertThat(hub.requests()).isNotEmpty().noneMatch(FakeHub.Request::toStorage);
    }

    @Test
    void aModelThatIsNotThereIsATypedError() {
        assertThatThrownBy(() ->
                        Embedder.builder().model("hf:org/none").device("cpu").build())
                .isInstanceOfSatisfying(
                        ModelDownloadException.class,
                        e -> assertThat(e.helpTopic()).isEqualTo(HelpTopic.MODEL_NOT_FOUND));
        assertThatThrownBy(() -> EmbedderFactory.find().download("somewhere", progress -> {}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("hf:ORG/NAME");
    }

    @Test
    void aFamilyThatIsUnknownIsRefusedBeforeItsWeightsCome() {
        hub.commit(
                "org/other",
                Map.of(
                        "config.json",
                        "{\"model_type\": \"blip\"}".getBytes(java.nio.charset.StandardCharsets.UTF_8),
                        "tokenizer.json",
                        new byte[] {'{', '}'},
                        "model.safetensors",
                        new byte[10]));
        assertThatThrownBy(() ->
                        Embedder.builder().model("hf:org/other").device("cpu").build())
                .hasMessageContaining("blip");
        assertThat(hub.requests()).noneMatch(FakeHub.Request::toStorage);
    }

    @ParameterizedTest
    @ValueSource(strings = {"xlm-roberta-h48-a2", "camembert-h40-a5"})
    void aModelInAJar(String name) throws Exception {
        Fixture fixture = Fixture.load(name);
        set("embed4j.cache", folder.resolve("unpacked").toString());
        Path jar = folder.resolve("model.jar");
        Path source = Path.of(fixture.model());
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar));
                Stream<Path> files = Files.walk(source)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(new JarEntry("models/mine/" + source.relativize(file)));
                Files.copy(file, out);
                out.closeEntry();
            }
        }
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, before)) {
            Thread.currentThread().setContextClassLoader(loader);
            assertVectors(fixture, "classpath:models/mine");
            assertVectors(fixture, "classpath:models/mine/");
            try (Stream<Path> unpacked = Files.list(folder.resolve("unpacked/models"))) {
                assertThat(unpacked.map(path -> String.valueOf(path.getFileName())))
                        .as("unpacked once, and nothing left behind")
                        .singleElement()
                        .asString()
                        .startsWith("mine-");
            }
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
    }

    @Test
    void aFolderOfTheClassPathOnTheDiskIsUsedAsItIs() throws Exception {
        Fixture fixture = Fixture.load("bert-h48-a2");
        Path unpacked = folder.resolve("unpacked");
        set("embed4j.cache", unpacked.toString());
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        Path root = Path.of(fixture.model()).resolve("..").normalize();
        try (URLClassLoader loader = new URLClassLoader(new URL[] {root.toUri().toURL()}, before)) {
            Thread.currentThread().setContextClassLoader(loader);
            assertVectors(fixture, "classpath:model");
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
        assertThat(unpacked).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"classpath:no/such", "classpath:", "classpath:/models/x", "classpath:a/../b"})
    void foldersThatAreNotThere(String model) {
        assertThatThrownBy(() -> Embedder.builder().model(model).device("cpu").build())
                .hasMessageContaining("\"" + model + "\"");
    }
}
