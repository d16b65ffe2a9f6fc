// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.DeviceInfo;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderOptions;
import io.embed4j.EmbeddingIterator;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.InstallationReport;
import io.embed4j.InstallationReport.Check;
import io.embed4j.InstallationReport.Status;
import io.embed4j.ModelInfo;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.TokenEmbeddings;
import io.embed4j.core.device.Backends;
import io.embed4j.core.device.FakeBackend;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the doctor makes of devices and results, on fakes; {@code embed doctor} is tested with the real ones. */
class DoctorTest {
    private static final KnownVectors KNOWN =
            new KnownVectors(Map.of("fp32", 1e-6), List.of("a", "b"), new double[][] {{1, 0}, {0.6, 0.8}});
    private static final float[] RIGHT = {1, 0, 0.6f, 0.8f};
    private static final DeviceProbe NO_GPU =
            DeviceProbe.unusable(DeviceId.parse("cuda:0"), "No NVIDIA driver was found.", "Install the NVIDIA driver.");

    @TempDir
    private Path cache;

    private final ClassLoader loader = Thread.currentThread().getContextClassLoader();

    /** A default model of one file, on the context class loader. */
    @BeforeEach
    void putModel() throws IOException {
        System.setProperty("embed4j.cache", cache.resolve("cache").toString());
        Path descriptor = cache.resolve("classes/META-INF/embed4j/models/all-minilm-l6-v2.json");
        Files.createDirectories(descriptor.getParent());
        Files.writeString(descriptor, "{\"name\": \"a small one\", \"texts\": {\"config.json\": {}}}");
        Thread.currentThread().setContextClassLoader(new URLClassLoader(new URL[] {url("classes/")}, loader));
    }

    @AfterEach
    void takeModelAway() throws IOException {
        System.clearProperty("embed4j.cache");
        ((URLClassLoader) Thread.currentThread().getContextClassLoader()).close();
        Thread.currentThread().setContextClassLoader(loader);
    }

    @Test
    void aGpuThatIsNotThereIsNoFailureUnlessItWasAskedFor() {
        InstallationReport report = examine("auto", right(), FakeBackend.usable("cpu"), NO_GPU);
        assertThat(report.passed()).as("%s", report).isTrue();
        assertThat(check(report, "cpu in fp32").detail()).startsWith("2 known vectors: error ");
        Check gpu = check(report, "device cuda:0");
        assertThat(gpu)
                .isEqualTo(new Check(
                        "device cuda:0",
                        Status.NOTICE,
                        "No NVIDIA driver was found.",
                        "Install the NVIDIA driver.",
                        HelpTopic.DEVICE_UNAVAILABLE));

        InstallationReport wanted = examine("cuda:0", right(), FakeBackend.usable("cpu"), NO_GPU);
        assertThat(wanted.passed()).isFalse();
        assertThat(check(wanted, "device cuda:0").status()).isEqualTo(Status.FAILED);
    }

    @Test
    void noUsableDeviceIsAFailure() {
        InstallationReport report = examine("auto", right(), NO_GPU);
        assertThat(check(report, "device cuda:0").status()).isEqualTo(Status.FAILED);
        InstallationReport none = examine("auto", right());
        assertThat(check(none, "device auto").detail()).isEqualTo("No usable device was found.");
        assertThat(check(none, "device auto").remedy()).contains("No backend is on the class path.");
    }

    @Test
    void aDeviceThatDoesNotExistIsAFailure() {
        Check check = check(examine("cuda:7", right(), FakeBackend.usable("cpu")), "device cuda:7");
        assertThat(check.status()).isEqualTo(Status.FAILED);
        assertThat(check.detail()).isEqualTo("The device \"cuda:7\" does not exist.");
        assertThat(check.remedy()).isEqualTo("Known are cpu.");
    }

    @Test
    void wrongVectorsAreAFailure() {
        float[] wrong = RIGHT.clone();
        wrong[3] += 1e-5f;
        Check check = check(examine("auto", vectors(wrong), FakeBackend.usable("cpu")), "cpu in fp32");
        assertThat(check.status()).isEqualTo(Status.FAILED);
        assertThat(check.detail()).isEqualTo("Vectors are wrong: error 1.0e-05; up to 1.0e-06 is right.");
        assertThat(check.remedy()).startsWith("Do not use this device in this precision");

        wrong[0] = Float.NaN;
        assertThat(check(examine("auto", vectors(wrong), FakeBackend.usable("cpu")), "cpu in fp32")
                        .detail())
                .contains("error Infinity");
    }

    @Test
    void whateverADeviceThrowsIsTold() {
        Check refused = check(
                examine(
                        "auto",
                        options -> {
                            throw new DeviceUnavailableException("The card fell off the bus. Restart the machine.");
                        },
                        FakeBackend.usable("cpu")),
                "cpu in fp32");
        assertThat(refused)
                .isEqualTo(new Check(
                        "cpu in fp32",
                        Status.FAILED,
                        "The card fell off the bus.",
                        "Restart the machine.",
                        HelpTopic.DEVICE_UNAVAILABLE));

        Check broken = check(
                examine(
                        "auto",
                        options -> {
                            throw new UnsatisfiedLinkError("libcublas.so.12");
                        },
                        FakeBackend.usable("cpu")),
                "cpu in fp32");
        assertThat(broken.status()).isEqualTo(Status.FAILED);
        assertThat(broken.detail()).contains("libcublas.so.12");
    }

    @Test
    void withoutTheDefaultModelNothingIsComputed() {
        Thread.currentThread().setContextClassLoader(new URLClassLoader(new URL[0], loader));
        InstallationReport report = examine("auto", right(), FakeBackend.usable("cpu"));
        assertThat(report.passed()).as("%s", report).isTrue();
        assertThat(check(report, "default model").remedy()).contains("io.embed4j:embed-model-minilm");
        assertThat(check(report, "cpu in fp32").status()).isEqualTo(Status.NOTICE);
    }

    @Test
    void theModelCacheIsDescribedAndWrongSettingsNamed(@TempDir Path cache) throws IOException {
        Files.createDirectory(cache.resolve("models--org--one"));
        Files.createDirectory(cache.resolve("models--org--two"));
        try {
            System.setProperty("HF_HUB_CACHE", cache.toString());
            System.setProperty("HF_ENDPOINT", "https://hub.example");
            System.setProperty("HF_TOKEN", "secret");
            assertThat(modelCache().detail())
                    .isEqualTo(
                            cache + "; models of the Hub: 2; others are downloaded from https://hub.example, with the"
                                    + " token in HF_TOKEN");
            System.setProperty("HF_HUB_OFFLINE", "1");
            assertThat(modelCache().detail()).endsWith("HF_HUB_OFFLINE is set, nothing is downloaded");
            System.setProperty("HF_ENDPOINT", "somewhere");
            assertThat(modelCache().status()).isEqualTo(Status.FAILED);
            assertThat(modelCache().help()).contains(HelpTopic.HUB_UNREACHABLE);
        } finally {
            List.of("HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE").forEach(System::clearProperty);
        }
    }

    private static Check modelCache() {
        return check(examine("auto", right(), FakeBackend.usable("cpu")), "model cache");
    }

    @Test
    void anOldJavaIsAFailure() {
        Doctor doctor = new Doctor(backends(FakeBackend.usable("cpu")), right(), Optional.of(KNOWN));
        doctor.checkJava(11);
        Check check = doctor.examine("auto").checks().get(0);
        assertThat(check.status()).isEqualTo(Status.FAILED);
        assertThat(check.remedy()).isEqualTo("Use Java 17 or newer.");
    }

    private static Check check(InstallationReport report, String name) {
        return report.checks().stream()
                .filter(check -> check.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not in " + report));
    }

    private static InstallationReport examine(
            String device, Function<EmbedderOptions, Embedder> open, DeviceProbe... probes) {
        return new Doctor(backends(probes), open, Optional.of(KNOWN)).examine(device);
    }

    private static Backends backends(DeviceProbe... probes) {
        return new Backends(
                List.of(probes).stream()
                        .map(probe -> (io.embed4j.spi.BackendProvider)
                                new FakeBackend(probe.id().backend(), 0, probe))
                        .toList(),
                List.of());
    }

    private static Function<EmbedderOptions, Embedder> right() {
        return vectors(RIGHT);
    }

    private static Function<EmbedderOptions, Embedder> vectors(float[] values) {
        return options -> new FixedEmbedder(options, values);
    }

    private URL url(String path) {
        try {
            return cache.resolve(path).toUri().toURL();
        } catch (MalformedURLException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Answers the same whatever it is asked. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record FixedEmbedder(EmbedderOptions options, float[] values) implements Embedder {
        @Override
        public Embeddings embed(List<String> texts, EmbedOptions call) {
            return Embeddings.of(2, values, new int[texts.size()], new boolean[texts.size()]);
        }

        @Override
        public Precision precision() {
            return options.precision();
        }

        @Override
        public EmbeddingIterator stream(Iterator<String> texts, EmbedOptions call, ProgressListener progress) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletableFuture<Embeddings> embedAsync(List<String> texts, EmbedOptions call) {
            throw new UnsupportedOperationException();
        }

        @Override
        public List<TokenEmbeddings> embedTokens(List<String> texts, EmbedOptions call) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int[] countTokens(List<String> texts, EmbedOptions call) {
            throw new UnsupportedOperationException();
        }

        @Override
        public ModelInfo model() {
            throw new UnsupportedOperationException();
        }

        @Override
        public DeviceInfo device() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void resizeBudget(int maxBatchTokens) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }
}
