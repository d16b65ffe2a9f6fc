// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DownloadListener;
import io.embed4j.DownloadProgress;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.testkit.Fixture;
import io.embed4j.testkit.hub.FakeHub.Request;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is brought to the cache, and what is taken from there. */
class HubModelTest extends WithTinyHub {

    // What is brought

    @Test
    void onlyWhatIsNeededIsBroughtInPythonsLayout() throws IOException {
        String commit = hub.commit(NAME, files());
        Path directory = whole();
        assertThat(directory).isEqualTo(model().resolve("snapshots").resolve(commit));
        assertHolds(directory, everything(), files());
        assertThat(model().resolve("refs/main")).hasContent(commit);
        Path link = Files.readSymbolicLink(directory.resolve("1_Pooling/config.json"));
        assertThat(link.toString()).matches("\\.\\./\\.\\./\\.\\./blobs/[0-9a-f]{40}");
        assertThat(Files.readSymbolicLink(directory.resolve(WEIGHTS)).toString())
                .matches("\\.\\./\\.\\./blobs/[0-9a-f]{64}");
        assertThat(blobs()).hasSize(everything().size());
        assertThat(model().resolve(".no_exist").resolve(commit).resolve("config_sentence_transformers.json"))
                .isEmptyFile();
        assertThat(cache().resolve(".locks/models--org--tiny")).isDirectory();
    }

    @Test
    void theConfigurationComesWithoutTheWeightsAndTheWeightsLater() throws IOException {
        hub.commit(NAME, files());
        HubModel model = new HubModel(HubName.parse("hf:" + NAME), settings());
        assertHolds(model.configuration(DownloadListener.NONE), CONFIGURATION, files());
        hub.forget();
        assertHolds(model.configuration(DownloadListener.NONE), CONFIGURATION, files());
        assertThat(hub.requests()).isEmpty();
        assertHolds(whole(), everything(), files());
        assertThat(gets("config.json")).as("files that are there already").isEmpty();
    }

    @Test
    void aModelOfNoUseIsRefusedBeforeItsWeightsCome() throws IOException {
        hub.commit(NAME, files());
        HubModel model = new HubModel(HubName.parse("hf:" + NAME), settings());
        assertThatThrownBy(() -> model.whole(
                        directory -> {
                            throw new ModelFormatException("looked at " + directory.resolve("config.json"));
                        },
                        DownloadListener.NONE))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith("looked at");
        assertThat(hub.requests()).noneMatch(Request::toStorage);
    }

    @Test
    void shardsAreThoseOfTheIndex() throws IOException {
        Map<String, byte[]> files = files();
        files.remove(WEIGHTS);
        files.put(
                "model.safetensors.index.json",
                bytes("{\"weight_map\": {\"a\": \"model-1-of-2.safetensors\", \"b\": \"model-2-of-2.safetensors\","
                        + " \"c\": \"model-1-of-2.safetensors\"}}"));
        files.put("model-1-of-2.safetensors", weights(3));
        files.put("model-2-of-2.safetensors", weights(4));
        files.put("model-1-of-9.safetensors", weights(5));
        hub.commit(NAME, files);
        assertThat(content(whole()))
                .containsKeys("model-1-of-2.safetensors", "model-2-of-2.safetensors", "model.safetensors.index.json")
                .doesNotContainKey("model-1-of-9.safetensors");
    }

    @Test
    void onnxIsTakenWhereThereIsNothingElse() throws IOException {
        Map<String, byte[]> files = new HashMap<>(Map.of(
                "config.json", bytes("{}"),
                "tokenizer.json", bytes("{}"),
                "onnx/model.onnx", weights(1),
                "onnx/model.onnx_data", weights(2),
                "onnx/model_quantized.onnx", weights(3)));
        hub.commit(NAME, files);
        assertThat(content(whole()).keySet())
                .containsExactly("config.json", "onnx/model.onnx", "onnx/model.onnx_data", "tokenizer.json");
    }

    @ParameterizedTest
    @ValueSource(strings = {WEIGHTS, "2_Dense/model.safetensors"})
    void picklesAreRefusedWithTheRemedy(String lacking) {
        Map<String, byte[]> files = files();
        files.remove(lacking);
        files.remove("onnx/model.onnx");
        hub.commit(NAME, files);
        assertThatThrownBy(this::whole)
                .isInstanceOfSatisfying(
                        ModelFormatException.class,
                        e -> assertThat(e.helpTopic()).isEqualTo(HelpTopic.PYTORCH_WEIGHTS))
                .hasMessageContainingAll(
                        "hf:org/tiny",
                        lacking.replace("model.safetensors", "pytorch_model.bin"),
                        "save_pretrained",
                        "refs/pr/");
        assertThat(hub.requests()).noneMatch(Request::toStorage);
    }

    @Test
    void progressAddsUpToWhatIsNeeded() {
        hub.commit(NAME, files());
        List<DownloadProgress> seen = Collections.synchronizedList(new ArrayList<>());
        new HubModel(HubName.parse("hf:" + NAME), settings()).whole(directory -> {}, seen::add);
        DownloadProgress last = seen.get(seen.size() - 1);
        long bytes = everything().stream()
                .mapToLong(path -> Objects.requireNonNull(files().get(path)).length)
                .sum();
        assertThat(last)
                .isEqualTo(new DownloadProgress(
                        NAME, everything().size(), everything().size(), bytes, bytes));
        assertThat(seen).extracting(DownloadProgress::bytesDone).isSorted();
    }

    // Revisions

    @Test
    void whatIsWholeInTheCacheIsUsedWithoutAsking() {
        hub.commit(NAME, files());
        Path first = whole();
        hub.forget();
        hub.commit(NAME, Map.of("config.json", bytes("newer")));
        assertThat(whole()).isEqualTo(first);
        hub.close();
        assertThat(whole()).isEqualTo(first);
        assertThat(hub.requests()).isEmpty();
    }

    @Test
    void theNewestIsBroughtWhenAsked() throws IOException {
        String first = hub.commit(NAME, files());
        whole();
        Map<String, byte[]> newer = files();
        newer.put("config.json", bytes("{\"model_type\": \"roberta\"}"));
        String second = hub.commit(NAME, newer);
        hub.forget();
        Path directory =
                new HubModel(HubName.parse("hf:" + NAME), settings()).newest(checked -> {}, DownloadListener.NONE);
        assertThat(directory.getFileName()).hasToString(second);
        assertHolds(directory, everything(), newer);
        assertThat(hub.requests()).as("same contents are not downloaded again").noneMatch(Request::toStorage);
        assertThat(whole()).isEqualTo(directory);
        assertThat(whole(settings(), NAME + "@" + first).getFileName()).hasToString(first);
    }

    @Test
    void branchesPullRequestsAndCommitsAreRevisions() throws IOException {
        String first = hub.commit(NAME, files());
        hub.branch(NAME, "refs/pr/1");
        hub.commit(NAME, Map.of("config.json", bytes("newer")));
        assertThat(whole(settings(), NAME + "@refs/pr/1").getFileName()).hasToString(first);
        assertThat(model().resolve("refs/refs/pr/1")).hasContent(first);
        assertHolds(whole(settings(), NAME + "@" + first), everything(), files());
    }

    @Test
    void aRenamedModelIsFollowed() throws IOException {
        hub.commit(NAME, files());
        hub.rename("old/name", NAME);
        hub.gate(NAME, "secret");
        Path directory = whole(settings(Map.of("HF_TOKEN", "secret")), "old/name");
        assertHolds(directory, everything(), files());
        assertThat(directory).startsWith(cache().resolve("models--old--name"));
    }

    @Test
    void aSnapshotThatLacksFilesIsCompletedFromWhatTheBranchMeansNow() throws IOException {
        String first = hub.commit(NAME, files());
        Path old = whole();
        Files.delete(old.resolve(WEIGHTS));
        Map<String, byte[]> newer = files();
        newer.put("tokenizer.json", bytes("{\"newer\": 1}"));
        String second = hub.commit(NAME, newer);
        Path directory = whole();
        assertThat(directory.getFileName()).hasToString(second).isNotEqualTo(Path.of(first));
        assertHolds(directory, everything(), newer);
    }

    /** A Python program that asked for a part leaves no modules.json; without it the vectors would be others. */
    @Test
    void aFileCountsAsAbsentOnlyIfSomebodySaysSo() throws IOException {
        hub.commit(NAME, files());
        Path directory = whole();
        Files.delete(directory.resolve("modules.json"));
        Map<String, String> offline = Map.of("HF_HUB_OFFLINE", "1");
        refused(offline, HelpTopic.HUB_OFFLINE, "lacks modules.json", directory.toString(), cache().toString());
        Path mark =
                model().resolve(".no_exist").resolve(directory.getFileName()).resolve("modules.json");
        Files.createFile(mark);
        assertThat(whole(offline)).isEqualTo(directory);
        Files.delete(mark);
        Path tree = model().resolve("trees").resolve(directory.getFileName() + ".json");
        Files.createDirectories(Objects.requireNonNull(tree.getParent()));
        Files.writeString(tree, "{\"format_version\": 1, \"files\": {\"config.json\": {\"size\": 1}}}");
        assertThat(whole(offline)).isEqualTo(directory);
    }

    /** sentence-transformers notes what it asked for in vain, and asks for no index where the weights are one file. */
    @Test
    void aCacheThatPythonFilledIsEnough() throws IOException {
        String commit = hub.commit(NAME, files());
        Path directory = whole();
        Path marks = model().resolve(".no_exist").resolve(commit);
        try (Stream<Path> noted = Files.walk(marks)) {
            for (Path mark : noted.filter(Files::isRegularFile).toList()) {
                if (!mark.endsWith("config_sentence_transformers.json")) {
                    Files.delete(mark);
                }
            }
        }
        assertThat(whole(Map.of("HF_HUB_OFFLINE", "1"))).isEqualTo(directory);
    }

    // Offline

    @Test
    void offlineTheMessageSaysWhatIsMissing() throws IOException {
        Map<String, String> offline = Map.of("HF_HUB_OFFLINE", "true");
        refused(offline, HelpTopic.HUB_OFFLINE, "HF_HUB_OFFLINE", cache().toString(), "\"main\"", NAME);
        hub.commit(NAME, files());
        new HubModel(HubName.parse("hf:" + NAME), settings()).configuration(DownloadListener.NONE);
        Files.delete(model().resolve("snapshots")
                .resolve(Files.readString(model().resolve("refs/main")))
                .resolve("tokenizer.json"));
        hub.forget();
        refused(offline, HelpTopic.HUB_OFFLINE, "2_Dense/model.safetensors, model.safetensors, tokenizer.json");
        assertThat(hub.requests()).isEmpty();
        assertThatThrownBy(() -> new HubModel(HubName.parse("hf:" + NAME), settings(offline))
                        .newest(directory -> {}, DownloadListener.NONE))
                .hasMessageContaining("HF_HUB_OFFLINE");
    }

    // The cache

    @Test
    void withoutSymbolicLinksTheFilesAreThere() throws IOException {
        hub.commit(NAME, files());
        Path directory = whole(Map.of("HF_HUB_DISABLE_SYMLINKS", "1"));
        assertHolds(directory, everything(), files());
        try (Stream<Path> all = Files.walk(directory)) {
            assertThat(all).noneMatch(Files::isSymbolicLink);
        }
        hub.close();
        assertThat(whole()).isEqualTo(directory);
    }

    @Test
    void aDanglingLinkIsReplaced() throws IOException {
        hub.commit(NAME, files());
        Path directory = whole();
        Files.delete(directory.resolve(WEIGHTS).toRealPath());
        assertHolds(whole(), everything(), files());
    }

    /** modules.json and the index of shards come from strangers. */
    @Test
    void pathsThatLeaveTheModelAreRefused() throws IOException {
        for (String path : List.of("../../../../out", "/out", "a/../../out", "a\\\\out")) {
            Map<String, byte[]> files = files();
            files.put("modules.json", bytes("[{\"type\": \"models.Dense\", \"path\": \"" + path + "\"}]"));
            hub.commit(NAME, files);
            assertThatThrownBy(this::whole)
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("leaves");
        }
        Map<String, byte[]> files = files();
        files.remove(WEIGHTS);
        files.put("model.safetensors.index.json", bytes("{\"weight_map\": {\"a\": \"../../out.safetensors\"}}"));
        hub.commit(NAME, files);
        assertThatThrownBy(this::whole).hasMessageContainingAll("../../out.safetensors", "leaves");
        try (Stream<Path> everything = Files.walk(folder)) {
            assertThat(everything).noneMatch(path -> path.toString().contains("out"));
        }
    }

    @Test
    void aCacheThatCannotBeWrittenIsNamed() throws IOException {
        hub.commit(NAME, files());
        Files.createDirectories(folder);
        Files.writeString(cache(), "a file");
        refused(HelpTopic.CACHE_DIRECTORY, cache().toString(), "HF_HUB_CACHE");
    }

    @Test
    void variablesAreThoseOfPython() {
        Map<String, String> variables = new HashMap<>();
        assertThat(of(variables).endpoint()).isEqualTo(URI.create(HubSettings.PUBLIC_HUB));
        assertThat(of(variables).cache()).isEqualTo(Path.of(System.getProperty("user.home"), ".cache/huggingface/hub"));
        variables.put("XDG_CACHE_HOME", "/xdg");
        assertThat(of(variables).cache()).isEqualTo(Path.of("/xdg/huggingface/hub"));
        variables.put("HF_HOME", "~/hf");
        assertThat(of(variables).cache()).isEqualTo(Path.of(System.getProperty("user.home"), "hf/hub"));
        variables.put("HUGGINGFACE_HUB_CACHE", "/old");
        assertThat(of(variables).cache()).isEqualTo(Path.of("/old"));
        variables.put("HF_HUB_CACHE", "/new");
        assertThat(of(variables).cache()).isEqualTo(Path.of("/new"));
        variables.put("HF_ENDPOINT", "http://mirror:8080/hf//");
        assertThat(of(variables).endpoint()).isEqualTo(URI.create("http://mirror:8080/hf"));
        assertThat(of(variables).offline()).isFalse();
        variables.put("TRANSFORMERS_OFFLINE", "yes");
        assertThat(of(variables).offline()).isTrue();
        variables.put("HF_HUB_DOWNLOAD_TIMEOUT", "soon");
        assertThatThrownBy(() -> of(variables)).hasMessageContainingAll("HF_HUB_DOWNLOAD_TIMEOUT", "\"soon\"");
    }

    private static HubSettings of(Map<String, String> variables) {
        return HubSettings.of(name -> variables.getOrDefault(name, ""));
    }

    @Test
    void aModelOfAFixtureComesWhole() throws IOException {
        Path source = Path.of(Fixture.load("bert-dense-h32-a4").model());
        hub.commit(NAME, source);
        Map<String, byte[]> wanted = content(source);
        assertThat(content(whole()).keySet()).containsExactlyElementsOf(wanted.keySet());
    }
}
