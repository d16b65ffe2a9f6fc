// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DownloadListener;
import io.embed4j.DownloadProgress;
import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import io.embed4j.ModelFormatException;
import io.embed4j.testkit.Fixture;
import io.embed4j.testkit.hub.FakeHub;
import io.embed4j.testkit.hub.FakeHub.Request;
import io.embed4j.testkit.hub.Mischief;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Downloads against a Hub in this process, in its good hours and its bad ones. */
class HubModelTest {
    private static final String NAME = "org/tiny";
    private static final String WEIGHTS = "model.safetensors";
    private static final int WEIGHT_BYTES = 300_000;
    private static final int FOR_EVER = Integer.MAX_VALUE;

    /** Short, so that the tests are. */
    private static final Patience PATIENCE = new Patience(
            Duration.ofSeconds(2),
            Duration.ofSeconds(5),
            Duration.ofMillis(300),
            3,
            Duration.ofMillis(10),
            Duration.ofSeconds(2));

    private final FakeHub hub = new FakeHub();

    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        hub.close();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] weights(int seed) {
        byte[] content = new byte[WEIGHT_BYTES];
        new Random(seed).nextBytes(content);
        return content;
    }

    /** A sentence-transformers model as repositories look: the same weights several times. */
    private static Map<String, byte[]> files() {
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

    private static final List<String> CONFIGURATION = List.of(
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "config.json",
            "modules.json",
            "sentence_bert_config.json",
            "tokenizer.json",
            "tokenizer_config.json");

    private static List<String> everything() {
        return Stream.concat(CONFIGURATION.stream(), Stream.of("2_Dense/model.safetensors", WEIGHTS))
                .sorted()
                .toList();
    }

    private Path cache() {
        return folder.resolve("hub");
    }

    private HubSettings settings() {
        return settings(Map.of());
    }

    private HubSettings settings(Map<String, String> more) {
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

    private Path whole(HubSettings settings, String name) {
        return new HubModel(HubName.parse("hf:" + name), settings).whole(directory -> {}, DownloadListener.none());
    }

    private Path whole() {
        return whole(settings(), NAME);
    }

    private Path whole(Map<String, String> variables) {
        return whole(settings(variables), NAME);
    }

    private void refused(HelpTopic topic, String... saying) {
        refused(Map.of(), topic, saying);
    }

    private void refused(Map<String, String> variables, HelpTopic topic, String... saying) {
        assertThatThrownBy(() -> whole(variables))
                .isInstanceOfSatisfying(
                        ModelDownloadException.class,
                        e -> assertThat(e.helpTopic()).as(e.getMessage()).isEqualTo(topic))
                .hasMessageContainingAll(saying);
    }

    private static Map<String, byte[]> content(Path directory) throws IOException {
        Map<String, byte[]> content = new TreeMap<>();
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                content.put(directory.relativize(file).toString(), Files.readAllBytes(file));
            }
        }
        return content;
    }

    /** What lies there is that of the repository, and nothing else. */
    private static void assertHolds(Path directory, List<String> paths, Map<String, byte[]> files) throws IOException {
        Map<String, byte[]> content = content(directory);
        assertThat(content.keySet()).containsExactlyElementsOf(paths);
        content.forEach((path, bytes) -> assertThat(bytes).as(path).isEqualTo(files.get(path)));
    }

    private List<Request> gets(String ending) {
        return hub.requests().stream()
                .filter(request -> request.method().equals("GET"))
                .filter(request -> request.path().endsWith(ending))
                .toList();
    }

    private Path model() {
        return cache().resolve("models--org--tiny");
    }

    private List<String> blobs() throws IOException {
        try (Stream<Path> files = Files.list(model().resolve("blobs"))) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .sorted()
                    .toList();
        }
    }

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
        assertHolds(model.configuration(DownloadListener.none()), CONFIGURATION, files());
        hub.forget();
        assertHolds(model.configuration(DownloadListener.none()), CONFIGURATION, files());
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
                        DownloadListener.none()))
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
                new HubModel(HubName.parse("hf:" + NAME), settings()).newest(checked -> {}, DownloadListener.none());
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
        new HubModel(HubName.parse("hf:" + NAME), settings()).configuration(DownloadListener.none());
        Files.delete(model().resolve("snapshots")
                .resolve(Files.readString(model().resolve("refs/main")))
                .resolve("tokenizer.json"));
        hub.forget();
        refused(offline, HelpTopic.HUB_OFFLINE, "2_Dense/model.safetensors, model.safetensors, tokenizer.json");
        assertThat(hub.requests()).isEmpty();
        assertThatThrownBy(() -> new HubModel(HubName.parse("hf:" + NAME), settings(offline))
                        .newest(directory -> {}, DownloadListener.none()))
                .hasMessageContaining("HF_HUB_OFFLINE");
    }

    // Who may

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theTokenGoesToTheHubAndNeverToTheStorage(boolean onlyThePortDiffers) {
        if (onlyThePortDiffers) {
            hub.storeOnTheSameHost();
        }
        hub.commit(NAME, files());
        hub.gate(NAME, "secret");
        whole(Map.of("HF_TOKEN", " secret\n"));
        assertThat(hub.requests())
                .filteredOn(Request::toStorage)
                .isNotEmpty()
                .extracting(Request::token)
                .containsOnlyNulls();
        assertThat(hub.requests())
                .filteredOn(request -> !request.toStorage())
                .extracting(Request::token)
                .containsOnly("Bearer secret");
    }

    @Test
    void theTokenOfPythonsFileIsUsed() throws IOException {
        hub.commit(NAME, files());
        hub.gate(NAME, "of-the-file");
        Path file = folder.resolve("home/token");
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        Files.writeString(file, "of-the-file\n");
        whole();
        refused(
                Map.of(
                        "HF_TOKEN",
                        "another",
                        "HF_HUB_CACHE",
                        folder.resolve("other").toString()),
                HelpTopic.HUB_ACCESS,
                "gated (403",
                hub.endpoint() + "/org/tiny",
                "token in HF_TOKEN");
    }

    @Test
    void aGatedModelNeedsAToken() {
        hub.commit(NAME, files());
        hub.gate(NAME, "secret");
        refused(HelpTopic.HUB_ACCESS, "org/tiny is gated (401", hub.endpoint() + "/org/tiny", "HF_TOKEN");
        refused(Map.of("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", "HF_TOKEN", "secret"), HelpTopic.HUB_ACCESS, "gated (401");
        hub.spoil("api", new Mischief.Status(401, Map.of("X-Error-Message", "Invalid credentials")), FOR_EVER);
        refused(
                Map.of("HF_TOKEN", "secret"),
                HelpTopic.HUB_ACCESS,
                "refuses the token in HF_TOKEN",
                "Invalid credentials");
        hub.spoil("api", new Mischief.Status(403, Map.of()), FOR_EVER);
        refused(HelpTopic.HUB_ACCESS, "does not let us read org/tiny (403)", "HF_TOKEN");
    }

    @Test
    void theTokenIsShownNowhere() {
        String token = "hf_neverShown";
        HubSettings settings = settings(Map.of("HF_TOKEN", token));
        assertThat(settings.toString()).doesNotContain(token).contains("HF_TOKEN");
        assertThatThrownBy(() -> settings(Map.of("HF_TOKEN", token + " " + token)))
                .hasMessageContaining("HF_TOKEN")
                .hasMessageNotContaining(token);
        assertThatThrownBy(() -> whole(settings, NAME)).hasMessageNotContaining(token);
    }

    // What is not there

    @Test
    void modelsRevisionsAndNamesThatAreNotThere() {
        refused(HelpTopic.MODEL_NOT_FOUND, "knows no model \"org/tiny\" (401", "HF_TOKEN");
        refused(Map.of("HF_TOKEN", "t"), HelpTopic.MODEL_NOT_FOUND, "knows no model \"org/tiny\" (404");
        hub.commit(NAME, files());
        assertThatThrownBy(() -> whole(settings(), NAME + "@v9"))
                .isInstanceOf(ModelDownloadException.class)
                .hasMessageContainingAll("no revision \"v9\" (404", "tree/main");
        hub.spoil("config.json", new Mischief.Status(404, Map.of("X-Error-Code", "EntryNotFound")), FOR_EVER);
        refused(HelpTopic.MODEL_NOT_FOUND, "no file config.json", "main");
        assertThat(model().resolve("refs")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "hf:",
                "hf:a/b/c",
                "hf:../b",
                "hf:a/..",
                "hf:a--b/c",
                "hf:a/b@",
                "hf:a/b@../x",
                "hf:a/b@x@y",
                "hf:a b",
                "hf:a/b@refs//x",
                "hf:a/b@/x",
                "hf:/a",
                "hf:a/b@a:b",
                "hf:-a/b"
            })
    void namesThatCannotBe(String name) {
        assertThatThrownBy(() -> HubName.parse(name))
                .isInstanceOf(ModelDownloadException.class)
                .hasMessageContainingAll("\"" + name + "\"", "hf:ORG/NAME");
    }

    @Test
    void namesThatCanBe() {
        assertThat(HubName.parse("hf:gpt2")).isEqualTo(new HubName("gpt2", "main"));
        assertThat(HubName.parse("hf:a.b/c_d-e.f@refs/pr/12")).isEqualTo(new HubName("a.b/c_d-e.f", "refs/pr/12"));
        assertThat(HubName.parse("hf:a/b@v1.0").toString()).isEqualTo("hf:a/b@v1.0");
        assertThat(HubName.parse("hf:a/b").toString()).isEqualTo("hf:a/b");
    }

    // Bad hours

    @ParameterizedTest
    @ValueSource(ints = {500, 502, 503, 504, 408, 429})
    void answersThatMayBeBetterLaterAreAskedForAgain(int status) throws IOException {
        hub.commit(NAME, files());
        hub.spoil("api", new Mischief.Status(status, Map.of()), 2);
        hub.spoil(WEIGHTS, new Mischief.Status(status, Map.of()), 2);
        assertHolds(whole(), everything(), files());
    }

    @Test
    void inTheEndTheHubIsGivenUp() {
        hub.commit(NAME, files());
        hub.spoil("api", new Mischief.Status(503, Map.of()), FOR_EVER);
        refused(HelpTopic.HUB_UNREACHABLE, "answers 503", "after 3 tries", hub.endpoint(), "-Dhttps.proxyHost");
        assertThat(hub.requests()).hasSize(3);
        hub.close();
        refused(HelpTopic.HUB_UNREACHABLE, "after 3 tries", hub.endpoint());
    }

    @Test
    void theHubMayAskForAPauseButNotForAnHour() throws IOException {
        hub.commit(NAME, files());
        String soon = DateTimeFormatter.RFC_1123_DATE_TIME.format(
                ZonedDateTime.now(ZoneOffset.UTC).plusSeconds(1));
        hub.spoil("api", new Mischief.Status(429, Map.of("Retry-After", soon)), 1);
        hub.spoil("config.json", new Mischief.Status(429, Map.of("Retry-After", "1")), 1);
        long begin = System.nanoTime();
        assertHolds(whole(), everything(), files());
        assertThat(System.nanoTime() - begin)
                .as("the pause that was asked for is made")
                .isGreaterThan(Duration.ofMillis(990).toNanos());
        hub.forget();
        Map<String, String> elsewhere =
                Map.of("HF_HUB_CACHE", folder.resolve("other").toString());
        hub.spoil("api", new Mischief.Status(429, Map.of("Retry-After", "3600")), FOR_EVER);
        refused(elsewhere, HelpTopic.HUB_UNREACHABLE, "429", "wait 3600 s");
        hub.spoil("api", new Mischief.Status(429, Map.of("RateLimit", "\"api\";r=0;t=299")), FOR_EVER);
        refused(elsewhere, HelpTopic.HUB_UNREACHABLE, "429", "wait 299 s");
        assertThat(hub.requests()).as("no waiting in vain").hasSize(2);
    }

    @Test
    void aBodyThatBreaksOffIsResumed() throws IOException {
        hub.commit(NAME, files());
        hub.spoil(WEIGHTS, new Mischief.BreakOff(100_000), 2);
        assertHolds(whole(), everything(), files());
        List<String> ranges = hub.requests().stream()
                .filter(request -> request.toStorage() && request.range() != null)
                .map(Request::range)
                .toList();
        assertThat(ranges).hasSize(2).allMatch(range -> range.matches("bytes=\\d+-"));
        assertThat(ranges).isSorted();
    }

    @Test
    void whatAnEarlierProcessLeftIsResumed() throws IOException {
        hub.commit(NAME, files());
        hub.spoil(WEIGHTS, new Mischief.BreakOff(0), FOR_EVER);
        refused(HelpTopic.HUB_UNREACHABLE, WEIGHTS + " broke off after 0 of " + WEIGHT_BYTES);
        hub.heal();
        String etag = blobs().stream()
                .filter(name -> name.endsWith(".incomplete"))
                .findFirst()
                .orElseThrow();
        Files.write(model().resolve("blobs").resolve(etag), Arrays.copyOf(weights(1), 123_456));
        hub.forget();
        assertHolds(whole(), everything(), files());
        assertThat(hub.requests())
                .filteredOn(Request::toStorage)
                .extracting(Request::range)
                .contains("bytes=123456-");
        assertThat(blobs()).noneMatch(name -> name.contains("incomplete"));
    }

    @Test
    void aServerWithoutRangesSendsAllAgain() throws IOException {
        hub.commit(NAME, files());
        hub.spoil(WEIGHTS, new Mischief.BreakOff(100_000), 1);
        leaveUnfinished(Arrays.copyOf(weights(1), 50_000));
        hub.spoil(WEIGHTS, new Mischief.NoRanges(), 1);
        assertHolds(whole(), everything(), files());
    }

    /** For instance zeros behind a power failure, or more than there should be. */
    @ParameterizedTest
    @ValueSource(ints = {50_000, WEIGHT_BYTES, WEIGHT_BYTES + 1})
    void rubbishThatWasLeftIsThrownAway(int length) throws IOException {
        hub.commit(NAME, files());
        leaveUnfinished(new byte[length]);
        assertHolds(whole(), everything(), files());
    }

    private void leaveUnfinished(byte[] content) throws IOException {
        hub.spoil(WEIGHTS, new Mischief.BreakOff(0), FOR_EVER);
        assertThatThrownBy(this::whole).isInstanceOf(ModelDownloadException.class);
        hub.heal();
        String name = blobs().stream()
                .filter(blob -> blob.endsWith(".incomplete"))
                .findFirst()
                .orElseThrow();
        Files.write(model().resolve("blobs").resolve(name), content);
    }

    @Test
    void aPeerThatStallsIsGivenUpAndTheRestFetched() throws IOException {
        hub.commit(NAME, files());
        hub.spoil(WEIGHTS, new Mischief.Stall(100_000), 1);
        assertHolds(whole(), everything(), files());
        assertThat(hub.requests()).anyMatch(request -> request.toStorage() && request.range() != null);
        hub.spoil("config.json", new Mischief.Trickle(1, 100), FOR_EVER);
        Map<String, String> elsewhere =
                Map.of("HF_HUB_CACHE", folder.resolve("other").toString());
        refused(elsewhere, HelpTopic.HUB_UNREACHABLE, "less than 1024 bytes came in 300 ms");
    }

    @ParameterizedTest
    @ValueSource(strings = {WEIGHTS, "config.json", "1_Pooling/config.json"})
    void aWrongHashIsNeverUsed(String path) throws IOException {
        String commit = hub.commit(NAME, files());
        hub.spoil(path, new Mischief.FlipBit(), FOR_EVER);
        refused(HelpTopic.HUB_DOWNLOAD, path, "its hash is not", "thrown away");
        assertThat(model().resolve("snapshots").resolve(commit).resolve(path)).doesNotExist();
        byte[] wrong = Objects.requireNonNull(files().get(path)).clone();
        wrong[wrong.length - 1] ^= 1;
        assertThat(content(model().resolve("blobs")).values()).noneMatch(content -> Arrays.equals(content, wrong));
        hub.heal();
        assertHolds(whole(), everything(), files());
    }

    @ParameterizedTest
    @ValueSource(strings = {WEIGHTS, "tokenizer.json"})
    void aBodyThatIsTooLongIsNeverUsed(String path) throws IOException {
        hub.commit(NAME, files());
        hub.spoil(path, new Mischief.Longer(), FOR_EVER);
        refused(HelpTopic.HUB_DOWNLOAD, path);
        hub.heal();
        assertHolds(whole(), everything(), files());
    }

    @Test
    void anotherCommitThanTheOneAskedForIsRefused() throws IOException {
        String commit = hub.commit(NAME, files());
        hub.spoil(WEIGHTS, new Mischief.OtherCommit(Optional.of("f".repeat(40))), FOR_EVER);
        refused(HelpTopic.HUB_DOWNLOAD, WEIGHTS, commit, "that of commit ffff");
        hub.spoil(WEIGHTS, new Mischief.OtherCommit(Optional.empty()), FOR_EVER);
        refused(HelpTopic.HUB_DOWNLOAD, WEIGHTS, "no commit at all", hub.endpoint());
    }

    @Test
    void somethingThatIsNoHubIsSaidToBeNone() {
        hub.spoil("api", new Mischief.Status(418, Map.of()), FOR_EVER);
        refused(HelpTopic.HUB_UNREACHABLE, "answers 418", "HF_ENDPOINT", hub.endpoint());
        assertThatThrownBy(() -> settings(Map.of("HF_ENDPOINT", "huggingface")))
                .hasMessageContainingAll("HF_ENDPOINT", "\"huggingface\"", "URL");
    }

    @Test
    void withoutANetworkTheMessageSaysWhatTheCacheLacks() throws IOException {
        hub.commit(NAME, files());
        Files.delete(whole().resolve(WEIGHTS));
        hub.close();
        refused(HelpTopic.HUB_UNREACHABLE, hub.endpoint(), "The model cache lacks model.safetensors.");
    }

    @Test
    void anInterruptEndsTheDownloadAndItsThreads() throws Exception {
        hub.commit(NAME, files());
        hub.spoil(WEIGHTS, new Mischief.Stall(100_000), FOR_EVER);
        HubSettings patient = settings().withPatience(Patience.of(Duration.ofHours(1), Duration.ofHours(1)));
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread caller = new Thread(() -> {
            try {
                whole(patient, NAME);
            } catch (EmbedException e) {
                failure.set(e);
            }
        });
        caller.start();
        while (hub.requests().stream().noneMatch(Request::toStorage)) {
            Thread.sleep(10);
        }
        caller.interrupt();
        caller.join();
        assertThat(failure.get())
                .isInstanceOfSatisfying(
                        EmbedException.class, e -> assertThat(e.helpTopic()).isEqualTo(HelpTopic.INTERRUPTED));
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().startsWith("embed4j-download")) {
                thread.join();
            }
        }
        hub.heal();
        assertHolds(whole(), everything(), files());
    }

    @Test
    void theProxyOfTheJvmIsUsed() throws IOException {
        hub.commit(NAME, files());
        ProxySelector before = ProxySelector.getDefault();
        ProxySelector.setDefault(new ProxySelector() {
            @Override
            public List<Proxy> select(URI uri) {
                boolean isHub = uri.getHost().equals("hub.invalid");
                int port = URI.create(hub.endpoint()).getPort();
                return List.of(
                        isHub
                                ? new Proxy(
                                        Proxy.Type.HTTP, new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                                : Proxy.NO_PROXY);
            }

            @Override
            public void connectFailed(URI uri, SocketAddress address, IOException failure) {}
        });
        try {
            assertHolds(whole(Map.of("HF_ENDPOINT", "http://hub.invalid")), everything(), files());
        } finally {
            ProxySelector.setDefault(before);
        }
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
        assertThat(of(variables).endpoint()).isEqualTo(URI.create("https://huggingface.co"));
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
