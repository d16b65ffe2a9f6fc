// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import io.embed4j.testkit.hub.FakeHub.Request;
import io.embed4j.testkit.hub.Mischief;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models that are not there or not for us, and a Hub in its bad hours. */
class HubTroubleTest extends WithTinyHub {

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
        assertThat(ranges.stream().map(range -> Long.valueOf(range.replaceAll("\\D", ""))))
                .as("starts in bytes")
                .isSorted();
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
}
