// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import io.embed4j.DeviceInfo;
import io.embed4j.Precision;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * embed4j and its peers on one device in one run: each step a process of its own, bounded in time, and the report written
 * anew after each, so that a run that is cut off has told what it knew. {@code embed-bench/gpu/compare} starts it.
 */
final class CompareGpu {
    private static final double NANOS = 1e9;
    private static final int LEAST_SECONDS = 5;

    /** What a step leaves of its bound to starting and loading. */
    private static final double MEASURING_SHARE = 0.7;

    private final GpuOptions options;
    private final Path rows;
    private final long start = System.nanoTime();
    private final List<String> remarks = new ArrayList<>();

    /**
     * A step.
     *
     * @param name for the report
     * @param boundSeconds when it is stopped
     * @param arguments the program's, behind the interpreter
     */
    private record Step(String name, int boundSeconds, List<String> arguments) {}

    private CompareGpu(GpuOptions options) {
        this.options = options;
        this.rows = options.out().resolve("compare-gpu.rows.jsonl");
    }

    /**
     * Compares.
     *
     * @param arguments see {@link GpuOptions}
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        GpuOptions options;
        try {
            options = GpuOptions.parse(List.of(arguments));
        } catch (IllegalArgumentException e) {
            System.err.println("compare: " + e.getMessage());
            System.exit(2);
            return;
        }
        new CompareGpu(options).run();
        System.exit(0);
    }

    private void run() throws IOException, InterruptedException {
        Files.createDirectories(options.out());
        Files.createDirectories(options.work());
        Files.deleteIfExists(rows);
        DeviceInfo device = MeasureEmbed4j.describe(options.device());
        String date = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
        for (Step step : steps()) {
            run(step);
            new GpuReport(device, date, options.commit(), elapsedSeconds(), Row.read(rows), List.copyOf(remarks))
                    .write(options.out());
        }
        System.out.println("Report: " + options.out().resolve(GpuReport.MARKDOWN));
    }

    /** What decides comes first: the device's own rates, then model by model, and what takes long to start at the end. */
    private List<Step> steps() {
        List<Step> steps = new ArrayList<>();
        steps.add(peers("roofline", 60));
        for (Shape shape : options.shapes()) {
            steps.add(peers("model", 60, "--shape", shape.id()));
            for (Precision precision : options.precisions()) {
                steps.add(embed4j(shape, precision));
                steps.add(peers("encode", 60, "--shape", shape.id(), "--dtype", precision.toString()));
            }
        }
        steps.add(peers("topk", 60));
        steps.add(java("embed4j top-k", 90, MeasureTopK.class, options.device()));
        for (Shape shape : options.shapes()) {
            steps.add(peers(
                    "compile",
                    90,
                    "--shape",
                    shape.id(),
                    "--dtype",
                    options.precisions().get(0).toString()));
        }
        return steps;
    }

    private Step peers(String part, int boundSeconds, String... more) {
        List<String> command = new ArrayList<>(List.of(
                options.python(),
                options.peers().toString(),
                part,
                "--rows",
                rows.toString(),
                "--work",
                options.work().toString(),
                "--seconds",
                String.valueOf(boundSeconds * MEASURING_SHARE)));
        command.addAll(List.of(more));
        return new Step(
                String.join(" ", "peers " + part, String.join(" ", more)).strip(), boundSeconds, command);
    }

    private Step embed4j(Shape shape, Precision precision) {
        return java(
                "embed4j " + shape.id() + " " + precision,
                45,
                MeasureEmbed4j.class,
                options.work().toString(),
                shape.id(),
                precision.toString(),
                options.device());
    }

    /** A program of ours: the file of figures, what is given here, and the seconds it may measure. */
    private Step java(String name, int boundSeconds, Class<?> program, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx4g",
                "-XX:MaxDirectMemorySize=64g",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                System.getProperty("java.class.path"),
                program.getName(),
                rows.toString()));
        command.addAll(List.of(arguments));
        command.add(String.valueOf(boundSeconds * MEASURING_SHARE));
        return new Step(name, boundSeconds, command);
    }

    private void run(Step step) throws IOException, InterruptedException {
        int left = (int) (options.budgetSeconds() - elapsedSeconds());
        if (left < LEAST_SECONDS) {
            remark(step.name() + ": left out, the budget of " + options.budgetSeconds() + " s is spent");
            return;
        }
        File log = options.out().resolve("compare-gpu.log").toFile();
        Process process = new ProcessBuilder(step.arguments())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log))
                .start();
        int bound = Math.min(step.boundSeconds(), left);
        if (!process.waitFor(bound, TimeUnit.SECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            remark(step.name() + ": stopped after " + bound + " s");
        } else if (process.exitValue() != 0) {
            remark(step.name() + ": its process ended with " + process.exitValue() + ", see the log");
        }
        System.err.printf(Locale.ROOT, "compare: %s, %.0f s so far%n", step.name(), elapsedSeconds());
    }

    private void remark(String remark) {
        remarks.add(remark);
        System.err.println("compare: " + remark);
    }

    private double elapsedSeconds() {
        return (System.nanoTime() - start) / NANOS;
    }
}
