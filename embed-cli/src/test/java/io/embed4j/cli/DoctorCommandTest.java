// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.EmbedderFactory;
import io.embed4j.HelpTopic;
import io.embed4j.InstallationReport;
import io.embed4j.InstallationReport.Check;
import io.embed4j.InstallationReport.Status;
import io.embed4j.Precision;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.Fixture;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code embed doctor} with the real library and the embedded model. */
class DoctorCommandTest {
    private static final String CACHE = "embed4j.cache";

    @AfterEach
    void forgetCache() {
        System.clearProperty(CACHE);
    }

    @Test
    void thisInstallationIsWell() {
        List<JsonObject> checks = checks(0);
        System.out.println(checks);
        for (String name :
                List.of("Java", "cache directory", "native tokenizer", "default model", "device cpu", "opening cpu")) {
            assertThat(check(checks, name).get("status").getAsString()).as(name).isEqualTo("ok");
        }
        assertThat(check(checks, "device cpu").get("detail").getAsString()).contains("ONNX Runtime 1.");
        for (String precision : List.of("fp32", "int8")) {
            JsonObject computed = check(checks, "cpu in " + precision);
            assertThat(computed.get("status").getAsString()).isEqualTo("ok");
            assertThat(computed.get("detail").getAsString()).startsWith("3 known vectors: error ");
        }
    }

    @Test
    void aCacheThatCannotBeWrittenIsToldWithItsRemedy() {
        System.setProperty(CACHE, "/dev/null/cache");
        List<JsonObject> checks = checks(1);

        JsonObject cache = check(checks, "cache directory");
        assertThat(cache.get("status").getAsString()).isEqualTo("failed");
        assertThat(cache.get("detail").getAsString())
                .isEqualTo("No cache directory can be written; tried [/dev/null/cache].");
        assertThat(cache.get("remedy").getAsString())
                .isEqualTo("Set the system property embed4j.cache to a writable directory.");
        assertThat(cache.get("help").getAsString()).isEqualTo("docs/troubleshooting.md#cache-directory");
        assertThat(check(checks, "default model").get("status").getAsString()).isEqualTo("failed");
        assertThat(check(checks, "native tokenizer").get("status").getAsString())
                .as("a failure does not keep the others from being checked")
                .isEqualTo("ok");
        assertThat(check(checks, "cpu in fp32").get("status").getAsString()).isEqualTo("notice");
    }

    @Test
    void aModelThatWasDamagedIsToldAndIsRightOnceRemoved(@TempDir Path cache) throws Exception {
        System.setProperty(CACHE, cache.toString());
        assertThat(check(checks(0), "default model").get("status").getAsString())
                .isEqualTo("ok");
        Path model;
        try (Stream<Path> models = Files.list(cache.resolve("models"))) {
            model = models.findFirst().orElseThrow();
        }
        Path tokenizer = model.resolve("tokenizer.json");
        byte[] bytes = Files.readAllBytes(tokenizer);
        bytes[bytes.length / 2] ^= 1; // as large as before
        Files.write(tokenizer, bytes);

        JsonObject damaged = check(checks(1), "default model");
        assertThat(damaged.get("detail").getAsString())
                .isEqualTo("[tokenizer.json] in " + model + " are not what was unpacked.");
        assertThat(damaged.get("remedy").getAsString()).isEqualTo("Remove " + model + "; it is unpacked again.");
    }

    @Test
    void eachFailureLeadsToOneSection() {
        String table = DoctorCommand.toTable(new InstallationReport(List.of(
                new Check(
                        "device cuda:0",
                        Status.NOTICE,
                        "There is no driver.",
                        "Install it. See docs/troubleshooting-cuda.md#cuda-no-driver.",
                        HelpTopic.DEVICE_UNAVAILABLE),
                new Check("device cpu", Status.FAILED, "Too old.", "Update it.", HelpTopic.DEVICE_UNAVAILABLE))));

        assertThat(table.lines().map(String::strip))
                .contains(
                        "-> Install it. See docs/troubleshooting-cuda.md#cuda-no-driver.",
                        "-> Update it. See docs/troubleshooting.md#device-unavailable");
    }

    /** The numbers that come with the model are the fixture's, and the errors allowed are those of the bar. */
    @Test
    void theKnownVectorsAreTheReferences() throws Exception {
        Fixture fixture = Fixture.load(Fixture.EMBEDDED_DEFAULT);
        JsonObject known;
        try (InputStream in = Objects.requireNonNull(getClass()
                .getClassLoader()
                .getResourceAsStream("META-INF/embed4j/models/all-minilm-l6-v2.known.json"))) {
            known = JsonParser.parseReader(new InputStreamReader(in, StandardCharsets.UTF_8))
                    .getAsJsonObject();
        }
        JsonArray texts = known.getAsJsonArray("texts");
        assertThat(texts).hasSize(3);
        for (int row = 0; row < texts.size(); row++) {
            int text = fixture.texts().indexOf(texts.get(row).getAsString());
            JsonArray vector = known.getAsJsonArray("vectors").get(row).getAsJsonArray();
            assertThat(vector).hasSize(fixture.dimension());
            for (int i = 0; i < vector.size(); i++) {
                assertThat(vector.get(i).getAsDouble()).isCloseTo(fixture.vectors()[text][i], within(1e-9));
            }
        }
        JsonObject errors = known.getAsJsonObject("largestErrors");
        for (Precision precision : List.of(Precision.FP32, Precision.FP16, Precision.BF16)) {
            double bar = Bar.of(fixture, precision).limit();
            assertThat(errors.get(precision.toString()).getAsDouble()).isCloseTo(bar, within(bar / 1000));
        }
        double cosine = 1 - Math.pow(errors.get("int8").getAsDouble(), 2) / 2; // of unit vectors
        assertThat(cosine).isCloseTo(0.99, within(1e-4));
    }

    private static JsonObject check(List<JsonObject> checks, String name) {
        return checks.stream()
                .filter(check -> check.get("name").getAsString().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not among " + checks));
    }

    private static List<JsonObject> checks(int exitCode) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        StringWriter err = new StringWriter();
        Terminal terminal = new Terminal(InputStream.nullInputStream(), out, new PrintWriter(err, true), false);
        int found = Main.run(new String[] {"doctor", "--json"}, EmbedderFactory::find, terminal);
        String text = out.toString(StandardCharsets.UTF_8);
        assertThat(found).as(text + err).isEqualTo(exitCode);
        return JsonParser.parseString(text).getAsJsonObject().getAsJsonArray("checks").asList().stream()
                .map(JsonElement::getAsJsonObject)
                .toList();
    }
}
