// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.ModelFormatException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EmbeddedModelTest {
    private static final byte[] WEIGHTS = new byte[200_000];

    static {
        new Random(1).nextBytes(WEIGHTS);
    }

    @TempDir
    private Path cache;

    private final Resources resources = new Resources();
    private final Properties properties = new Properties();
    private final ClassLoader before = Thread.currentThread().getContextClassLoader();

    /** A class path of resources that the test makes up. */
    private static final class Resources extends ClassLoader {
        private final Map<String, byte[]> bytes = new HashMap<>();

        Resources() {
            super(EmbeddedModelTest.class.getClassLoader());
        }

        void put(String name, byte[] content) {
            bytes.put(name, content);
        }

        @Override
        public @Nullable InputStream getResourceAsStream(String name) {
            byte[] content = bytes.get(name);
            return content == null ? super.getResourceAsStream(name) : new ByteArrayInputStream(content);
        }
    }

    @BeforeEach
    void useTheTestsClassPathAndCache() {
        properties.with("embed4j.cache", cache.toString());
        Thread.currentThread().setContextClassLoader(resources);
        put("tiny", WEIGHTS, sha256(WEIGHTS));
    }

    @AfterEach
    void restore() {
        Thread.currentThread().setContextClassLoader(before);
        properties.close();
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void put(String id, byte[] weights, String sha256) {
        String descriptor = """
                {"name": "Tiny", "resources": {"onnx/model.onnx": {"resource": "weights-of-%s", "bytes": %d, "sha256": "%s"}},
                 "texts": {"config.json": {"model_type": "bert", "a": 1.50}, "1_Pooling/config.json": {}}}""".formatted(id, weights.length, sha256);
        resources.put("META-INF/embed4j/models/" + id + ".json", descriptor.getBytes(StandardCharsets.UTF_8));
        resources.put("weights-of-" + id, weights);
    }

    private static void mustBeWhole(Path directory) throws IOException {
        assertThat(Files.readAllBytes(directory.resolve("onnx/model.onnx"))).isEqualTo(WEIGHTS);
        assertThat(directory.resolve("config.json")).hasContent("{\"model_type\":\"bert\",\"a\":1.50}");
        assertThat(directory.resolve("1_Pooling/config.json")).hasContent("{}");
    }

    /** Names of what lies beside the unpacked models. */
    private List<String> unpacked() throws IOException {
        Path models = cache.resolve("models");
        if (!Files.exists(models)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(models)) {
            return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aModelIsUnpackedIntoHuggingFaceLayout() throws IOException {
        EmbeddedModel model = EmbeddedModel.find("tiny");
        assertThat(model.name()).isEqualTo("Tiny");
        Path directory = model.unpack();
        mustBeWhole(directory);
        assertThat(directory.getFileName().toString()).matches("tiny-[0-9a-f]{16}");
        assertThat(unpacked()).as("nothing else is left").hasSize(1);
    }

    @Test
    void theSecondTimeItIsReused() throws IOException {
        Path directory = EmbeddedModel.find("tiny").unpack();
        Files.writeString(directory.resolve("config.json"), "{\"model_type\":\"BERT\",\"a\":1.50}");
        assertThat(EmbeddedModel.find("tiny").unpack()).isEqualTo(directory);
        assertThat(directory.resolve("config.json"))
                .as("not written again")
                .content()
                .contains("BERT");
    }

    @Test
    void anotherDescriptorIsAnotherDirectory() throws IOException {
        Path first = EmbeddedModel.find("tiny").unpack();
        byte[] other = WEIGHTS.clone();
        other[5]++;
        put("tiny", other, sha256(other));
        Path second = EmbeddedModel.find("tiny").unpack();
        assertThat(second).isNotEqualTo(first);
        mustBeWhole(first);
    }

    @Test
    void aWrongHashIsRefusedAndLeavesNothingBehind() throws IOException {
        byte[] damaged = WEIGHTS.clone();
        damaged[100_000] ^= 1;
        put("tiny", damaged, sha256(WEIGHTS));
        assertThatThrownBy(() -> EmbeddedModel.find("tiny").unpack())
                .isInstanceOf(EmbedException.class)
                .hasMessageContainingAll(
                        "The model Tiny could not be unpacked to " + cache,
                        "the resource weights-of-tiny has SHA-256 " + sha256(damaged) + ", not " + sha256(WEIGHTS),
                        "Set the system property embed4j.cache");
        assertThat(unpacked()).isEmpty();
    }

    @Test
    void aMissingResourceIsNamedAndLeavesNothingBehind() throws IOException {
        resources.bytes.remove("weights-of-tiny");
        assertThatThrownBy(() -> EmbeddedModel.find("tiny").unpack())
                .isInstanceOf(EmbedException.class)
                .hasMessageContaining("the resource weights-of-tiny is not on the class path");
        assertThat(unpacked()).isEmpty();
    }

    @Test
    void anIncompleteDirectoryIsRepaired() throws IOException {
        Path directory = EmbeddedModel.find("tiny").unpack();
        Files.delete(directory.resolve("1_Pooling/config.json"));
        Files.delete(directory.resolve("1_Pooling"));
        Files.write(directory.resolve("onnx/model.onnx"), new byte[7]);
        Path mine = Files.writeString(directory.resolve("mine.txt"), "keep me");
        assertThat(EmbeddedModel.find("tiny").unpack()).isEqualTo(directory);
        mustBeWhole(directory);
        assertThat(mine).hasContent("keep me");
        assertThat(unpacked()).hasSize(1);
    }

    @Test
    void aFileInTheWayIsNamed() throws IOException {
        Path directory = EmbeddedModel.find("tiny").unpack();
        Path models = Files.createDirectory(cache.resolve("other")).resolve("models");
        Files.createDirectories(models);
        Files.createFile(models.resolve(directory.getFileName()));
        properties.with("embed4j.cache", cache.resolve("other").toString());
        assertThatThrownBy(() -> EmbeddedModel.find("tiny").unpack())
                .isInstanceOf(EmbedException.class)
                .hasMessageContaining("could not be unpacked to " + models.resolve(directory.getFileName()));
    }

    /** Many threads unpack at once, into nothing or into a damaged directory: each sees whole files from then on. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void unpackingAtOnceGivesEverybodyWholeFiles(boolean damagedBefore) throws Exception {
        int threads = 4;
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            for (int round = 0; round < 60; round++) {
                properties.with("embed4j.cache", cache.resolve("round" + round).toString());
                EmbeddedModel model = EmbeddedModel.find("tiny");
                if (damagedBefore) {
                    Path directory = model.unpack();
                    Files.delete(directory.resolve("config.json"));
                    Files.write(directory.resolve("onnx/model.onnx"), new byte[7]);
                }
                CyclicBarrier start = new CyclicBarrier(threads);
                List<Future<?>> all = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    all.add(pool.submit(() -> {
                        start.await();
                        for (int again = 0; again < 3; again++) {
                            mustBeWhole(model.unpack());
                        }
                        return null;
                    }));
                }
                for (Future<?> one : all) {
                    one.get();
                }
            }
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void aModelThatIsNotThereNamesTheArtifact() {
        assertThatThrownBy(() -> EmbeddedModel.find("large"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("The model embedded:large is not on the class path. Add the dependency"
                        + " io.embed4j:embed-model-minilm for embedded:all-minilm-l6-v2, or name a model directory.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "../secret", "a/b", "a b", "a\u0000"})
    void namesAreNames(String id) {
        assertThatThrownBy(() -> EmbeddedModel.find(id))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("\"embedded:" + id + "\" is not the name of an embedded model.");
    }

    @Test
    void aDescriptorThatIsDamagedIsNamed() {
        resources.put("META-INF/embed4j/models/tiny.json", "{\"name\": ".getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> EmbeddedModel.find("tiny"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith("the descriptor of embedded:tiny is not valid JSON");
    }

    @Test
    void aThreadWithoutContextClassLoaderSeesOurOwnClassPath() {
        Thread.currentThread().setContextClassLoader(null);
        assertThatThrownBy(() -> EmbeddedModel.find("tiny"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is not on the class path");
    }
}
