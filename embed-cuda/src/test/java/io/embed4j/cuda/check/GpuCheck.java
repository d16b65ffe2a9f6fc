// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonSyntaxException;
import io.embed4j.cuda.check.PartResult.Outcome;
import io.embed4j.cuda.check.PartResult.TestRow;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Shows whether the CUDA backend is right on this machine's device: every part in a process of its own, bounded in time,
 * reported whatever became of those before it. The report is written anew after each part, so that a check that is cut
 * off has told what it knew. {@code embed-bench/gpu/check} starts it.
 */
final class GpuCheck {
    private static final String CACHE = "embed4j.cache";
    private static final double NANOS = 1e9;
    private static final int LEAST_SECONDS = 3;

    private final CheckOptions options;
    private final Path scratch;
    private final long start = System.nanoTime();
    private Optional<DeviceFacts> facts = Optional.empty();

    private GpuCheck(CheckOptions options, Path scratch) {
        this.options = options;
        this.scratch = scratch;
    }

    /**
     * Checks; exits with 0 if all passed, 1 if not, 2 if it was called wrongly.
     *
     * @param arguments see {@link CheckOptions}
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        CheckOptions options;
        try {
            options = CheckOptions.parse(List.of(arguments));
        } catch (IllegalArgumentException e) {
            System.err.println("check: " + e.getMessage());
            System.exit(2);
            return;
        }
        Path scratch = Files.createTempDirectory("embed4j-check");
        System.exit(new GpuCheck(options, scratch).run() ? 0 : 1);
    }

    private boolean run() throws IOException, InterruptedException {
        Files.createDirectories(options.out());
        List<PartResult> results = new ArrayList<>();
        CheckReport report = new CheckReport(facts, options, results, 0);
        for (CheckPart part : CheckPart.values()) {
            PartResult result = run(part);
            results.add(result);
            report = new CheckReport(facts, options, List.copyOf(results), elapsedSeconds());
            report.write(options.out());
            System.err.printf(
                    Locale.ROOT, "check: %-40s %s, %.1f s%n", part.title(), report.result(result), result.seconds());
        }
        System.out.println(report.verdict() + " Report: " + options.out().resolve(CheckReport.MARKDOWN));
        return report.passed();
    }

    private double elapsedSeconds() {
        return (System.nanoTime() - start) / NANOS;
    }

    private PartResult run(CheckPart part) throws IOException, InterruptedException {
        if (!options.wants(part)) {
            return new PartResult(part, "", 0, List.of());
        }
        int left = (int) (options.budgetSeconds() - elapsedSeconds());
        if (left < LEAST_SECONDS) {
            return new PartResult(
                    part, "not run: the budget of " + options.budgetSeconds() + " s is spent", 0, List.of());
        }
        int bound = Math.min(part.boundSeconds(), left);
        Path log = scratch.resolve(part.name().toLowerCase(Locale.ROOT) + ".json");
        long began = System.nanoTime();
        Process process = process(part, log).start();
        boolean ended = process.waitFor(bound, TimeUnit.SECONDS);
        if (!ended) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
        }
        double seconds = (System.nanoTime() - began) / NANOS;
        String problem = !ended
                ? "stopped after " + bound + " s"
                : process.exitValue() == 0 ? "" : "its process ended with " + process.exitValue();
        return part == CheckPart.FACTS ? readFacts(log, problem, seconds) : read(part, log, problem, seconds);
    }

    private ProcessBuilder process(CheckPart part, Path log) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx2g",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-D" + LeavesOut.PROPERTY + "=" + options.without(),
                "-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir"),
                "-D" + CACHE + "="
                        + System.getProperty(CACHE, scratch.resolve("cache").toString()),
                "-cp",
                System.getProperty("java.class.path")));
        if (part == CheckPart.FACTS) {
            command.addAll(List.of(DeviceFacts.class.getName(), log.toString()));
        } else {
            command.addAll(List.of(PartProgram.class.getName(), part.name(), log.toString()));
        }
        ProcessBuilder builder = new ProcessBuilder(command);
        // One log for all: what comes back from the machine is three files.
        File output = options.out().resolve(CheckReport.LOG).toFile();
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(output));
        builder.environment().put("EMBED_REQUIRE", "cuda");
        return builder;
    }

    private PartResult readFacts(Path file, String problem, double seconds) throws IOException {
        if (Files.exists(file)) {
            facts = Optional.of(new Gson().fromJson(Files.readString(file), DeviceFacts.class));
        }
        return new PartResult(CheckPart.FACTS, problem, seconds, List.of());
    }

    private PartResult read(CheckPart part, Path log, String problem, double seconds) throws IOException {
        Gson gson = new Gson();
        Set<String> open = new LinkedHashSet<>();
        List<TestRow> tests = new ArrayList<>();
        String device = "none";
        for (String line : Files.exists(log) ? Files.readAllLines(log) : List.<String>of()) {
            JsonObject json;
            try {
                json = JsonParser.parseString(line).getAsJsonObject();
            } catch (JsonSyntaxException e) {
                continue; // the last line of a process that was stopped while it wrote
            }
            if (json.has(PartProgram.DEVICE)) {
                device = json.get(PartProgram.DEVICE).getAsString();
            } else if (json.has(PartProgram.STARTED)) {
                open.add(json.get(PartProgram.STARTED).getAsString());
            } else {
                TestRow row = gson.fromJson(json.get(PartProgram.ENDED), TestRow.class);
                open.remove(row.name());
                tests.add(row);
            }
        }
        open.forEach(name -> tests.add(new TestRow(name, Outcome.CUT_OFF, 0, "did not end", List.of())));
        // Every part must have seen the very device that the report is about.
        String expected = facts.map(found -> found.name() + " " + found.uuid()).orElse("none");
        String other = device.equals(expected) && facts.isPresent() ? "" : "it ran on " + device + ", not " + expected;
        return new PartResult(
                part, problem.isEmpty() || other.isEmpty() ? problem + other : problem + "; " + other, seconds, tests);
    }
}
