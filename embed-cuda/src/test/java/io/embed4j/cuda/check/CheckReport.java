// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import com.google.gson.GsonBuilder;
import io.embed4j.cuda.check.PartResult.Outcome;
import io.embed4j.cuda.check.PartResult.TestRow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What is known so far, as Markdown and as JSON. The device's kind stands in the heading and in every verdict: a report
 * of the emulated device cannot be taken for one of a GPU.
 *
 * @param facts of the device; empty if there is none
 * @param options what was asked for
 * @param parts so far
 * @param seconds so far
 */
record CheckReport(Optional<DeviceFacts> facts, CheckOptions options, List<PartResult> parts, double seconds) {
    static final String MARKDOWN = "gpu-check.md";
    static final String JSON = "gpu-check.json";
    static final String LOG = "gpu-check.log";

    private static final Pattern PARITY = Pattern.compile(
            "\\S+ (\\S+) (\\S+), (one call|tokens): max error (\\S+) of (\\d+) at (.*), (\\S+) % of the bar"
                    + " (\\S+)");
    private static final int LONGEST_CELL = 400;

    /** All parts that were asked for are there and passed. */
    boolean passed() {
        return parts.size() == CheckPart.values().length
                && parts.stream().filter(part -> options.wants(part.part())).allMatch(PartResult::passed)
                && facts.isPresent();
    }

    /** One sentence. */
    String verdict() {
        String what = options.whole() ? "The GPU check" : "A part of the GPU check";
        return what + (passed() ? " passed on " : " did NOT pass on ") + device() + ".";
    }

    private String device() {
        return facts.map(device -> device.emulated() ? "the EMULATED device (a CPU, not a GPU)" : device.name())
                .orElse("no device");
    }

    /** Writes both files. */
    void write(Path directory) throws IOException {
        Files.writeString(directory.resolve(MARKDOWN), markdown());
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("verdict", verdict());
        json.put("passed", passed());
        json.put("emulated", facts.map(DeviceFacts::emulated).orElse(false));
        json.put("whole", options.whole());
        json.put("commit", options.commit());
        json.put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        json.put("seconds", seconds);
        facts.ifPresent(device -> json.put("device", device));
        json.put("parts", parts);
        Files.writeString(
                directory.resolve(JSON),
                new GsonBuilder()
                                .setPrettyPrinting()
                                .serializeSpecialFloatingPointValues()
                                .create()
                                .toJson(json) + "\n");
    }

    private String markdown() {
        StringBuilder text = new StringBuilder("# GPU check: " + device() + "\n\n" + verdict() + "\n\n");
        if (!options.model()) {
            text.append("Without the embedded default: its bundle was not there.\n\n");
        }
        row(text, "Fact", "Value");
        row(text, "---", "---");
        row(text, "Commit", options.commit());
        facts.ifPresent(device -> {
            row(text, "Device", device.name() + (device.emulated() ? ": NOT A GPU" : ""));
            row(text, "UUID", device.uuid());
            row(text, "Compute capability", device.computeCapability() / 10 + "." + device.computeCapability() % 10);
            row(text, "Memory", (device.totalBytes() >> 20) + " MiB, free " + (device.freeBytes() >> 20) + " MiB");
            row(text, "Driver", device.engine());
            row(text, "cuBLAS", device.cublasVersion() + " from " + device.cublasOrigin());
        });
        row(text, "Time", String.format(Locale.ROOT, "%.0f s", seconds));
        text.append('\n');
        row(text, "Part", "Result", "Passed", "Failed", "Skipped", "Worst share of a bar", "Seconds");
        row(text, "---", "---", "---", "---", "---", "---", "---");
        for (PartResult part : parts) {
            row(
                    text,
                    part.part().title(),
                    result(part),
                    String.valueOf(part.count(Outcome.PASSED)),
                    String.valueOf(part.count(Outcome.FAILED) + part.count(Outcome.CUT_OFF)),
                    String.valueOf(part.count(Outcome.SKIPPED)),
                    share(part.worstShare()),
                    String.format(Locale.ROOT, "%.1f", part.seconds()));
        }
        parity(text);
        failures(text);
        return text.toString();
    }

    /** How a part went, in a word or a sentence. */
    String result(PartResult part) {
        if (!options.wants(part.part())) {
            return "not asked for";
        }
        return part.passed() ? "passed" : "FAILED" + (part.problem().isEmpty() ? "" : ": " + part.problem());
    }

    private static String share(OptionalDouble share) {
        return share.isPresent() ? String.format(Locale.ROOT, "%.0f %%", share.getAsDouble()) : "";
    }

    private void parity(StringBuilder text) {
        text.append("\n## Parity with the float64 reference\n\n");
        row(text, "Fixture", "Precision", "Vectors", "Largest error", "Bar", "Share");
        row(text, "---", "---", "---", "---", "---", "---");
        parts.stream()
                .filter(part -> part.part() == CheckPart.PARITY)
                .flatMap(part -> part.tests().stream())
                .flatMap(test -> test.lines().stream())
                .map(PARITY::matcher)
                .filter(Matcher::find)
                .forEach(line -> row(
                        text,
                        line.group(1),
                        line.group(2),
                        line.group(3).equals("tokens") ? "tokens" : "texts",
                        line.group(4),
                        line.group(8),
                        line.group(7) + " %"));
    }

    private void failures(StringBuilder text) {
        text.append("\n## What did not pass\n\n");
        row(text, "Part", "Test", "Outcome", "Why");
        row(text, "---", "---", "---", "---");
        for (PartResult part : parts) {
            for (TestRow test : part.tests()) {
                if (test.outcome() != Outcome.PASSED) {
                    row(
                            text,
                            part.part().name().toLowerCase(Locale.ROOT),
                            test.name(),
                            test.outcome().name(),
                            test.message());
                }
            }
        }
    }

    private static void row(StringBuilder text, String... cells) {
        text.append('|');
        for (String cell : cells) {
            String line = cell.replaceAll("\\s+", " ").replace("|", "\\|");
            text.append(' ')
                    .append(line, 0, Math.min(line.length(), LONGEST_CELL))
                    .append(" |");
        }
        text.append('\n');
    }
}
