// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.embed4j.bench.protocol.Reply;
import io.embed4j.bench.protocol.RivalClient;
import io.embed4j.bench.protocol.RivalException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The end-to-end comparison on the CPU, text to vectors: this library against LangChain4j, plain ONNX Runtime and
 * sentence-transformers, each in a process and on a class path of its own, in interleaved rounds on the same cores.
 *
 * <pre>
 * embed-bench/compare-cpu --out docs/benchmarks/NAME    # some minutes; --quick for a smoke run
 * </pre>
 *
 * <p>The table goes to standard output, progress to standard error. No time makes it fail: judging is the reader's.
 */
public final class CompareCpu {
    private static final Gson GSON = new GsonBuilder()
            .setPrettyPrinting()
            .disableHtmlEscaping()
            .serializeSpecialFloatingPointValues()
            .create();

    private static final long PAUSE_MILLIS = 250;

    private final Path root;
    private final CompareOptions options;
    private final Roster roster;
    private final Map<String, Roster.Entry> entries = new LinkedHashMap<>();
    private final Map<String, List<Long>> startMillis = new LinkedHashMap<>();
    private final Map<String, RivalProcess> running = new LinkedHashMap<>();
    private final List<Report.Skipped> skipped = new ArrayList<>();

    private CompareCpu(Path root, CompareOptions options) {
        this.root = root;
        this.options = options;
        this.roster = new Roster(root, Objects.requireNonNullElse(System.getenv("EMBED_BENCH_PYTHON"), ""));
    }

    /** Takes the options in {@link CompareOptions#USAGE}; the script compare-cpu names the working tree. */
    public static void main(String[] args) throws IOException {
        if (List.of(args).contains("--help")) {
            System.out.println(CompareOptions.USAGE);
            return;
        }
        CompareOptions options;
        try {
            options = CompareOptions.parse(List.of(args));
        } catch (IllegalArgumentException e) {
            System.err.println("compare-cpu: " + e.getMessage());
            System.exit(2);
            return;
        }
        try {
            compare(options, commandLine(args));
        } catch (RivalException e) {
            System.err.println("compare-cpu: " + e.reason());
            System.exit(1);
        }
    }

    private static void compare(CompareOptions options, String command) throws IOException {
        Path root = Path.of(System.getProperty("embed.bench.root", "")).toAbsolutePath();
        Path directory = Path.of(options.outDirectory());
        Files.createDirectories(directory.toAbsolutePath()); // before minutes are spent
        Report report = new CompareCpu(root, options).run(command);
        String markdown = MarkdownReport.of(report);
        System.out.print(markdown);
        if (!options.outDirectory().isEmpty()) {
            Files.writeString(directory.resolve("compare-cpu.md"), markdown);
            Files.writeString(directory.resolve("compare-cpu.json"), GSON.toJson(report) + "\n");
        }
    }

    /** What would repeat the run; where the reports go is nobody else's concern. */
    private static String commandLine(String[] args) {
        StringBuilder command = new StringBuilder("embed-bench/compare-cpu");
        for (int i = 0; i < args.length; i++) {
            if (args[i].equals("--out")) {
                i++;
            } else {
                command.append(' ').append(args[i].contains(" ") ? "\"" + args[i] + "\"" : args[i]);
            }
        }
        return command.toString();
    }

    private Report run(String command) throws IOException {
        String date = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
        String commit = commit();
        Machine machine = Machine.here();
        System.err.println(machine);
        choose();
        try {
            start();
            Map<String, RivalClient> clients = new LinkedHashMap<>();
            running.forEach((name, process) -> clients.put(name, process.client()));
            Map<String, Accuracy> accuracies = new LinkedHashMap<>();
            clients.forEach((name, client) -> accuracies.put(name, Accuracy.measure(client)));
            List<Report.Timings> timings = new Rounds(clients, options, PAUSE_MILLIS).run();
            List<Report.Contender> contenders = new ArrayList<>();
            running.forEach((name, process) -> contenders.add(new Report.Contender(
                    name,
                    process.loaded().engine(),
                    Objects.requireNonNull(entries.get(name)).libraries(),
                    Objects.requireNonNull(startMillis.get(name)),
                    process.client().finish().peakResidentBytes(),
                    Objects.requireNonNull(accuracies.get(name)))));
            return new Report(
                    date, command, commit, machine, options.withoutOutDirectory(), contenders, skipped, timings);
        } finally {
            running.values().forEach(RivalProcess::close);
        }
    }

    /** Finds out how to start whom. */
    private void choose() throws IOException {
        for (String name : Roster.NAMES) {
            if (options.only().isEmpty() || options.only().contains(name) || name.equals(Roster.BASELINE)) {
                try {
                    entries.put(name, roster.entry(name));
                } catch (RivalException e) {
                    skip(name, e.reason());
                }
            }
        }
    }

    /** Starts every rival as often as asked, in turn; the last processes stay. */
    private void start() throws IOException {
        for (int start = 1; start <= options.starts(); start++) {
            for (Roster.Entry entry : List.copyOf(entries.values())) {
                try {
                    RivalProcess process = new RivalProcess(entry);
                    running.put(entry.name(), process);
                    Reply.Loaded loaded = process.loaded();
                    startMillis
                            .computeIfAbsent(entry.name(), key -> new ArrayList<>())
                            .add(loaded.firstVectorMillis());
                    System.err.printf("%s: %s, %d ms%n", entry.name(), loaded.engine(), loaded.firstVectorMillis());
                    if (start < options.starts()) {
                        process.close();
                    }
                } catch (RivalException e) {
                    entries.remove(entry.name());
                    running.remove(entry.name());
                    skip(entry.name(), e.reason());
                }
            }
        }
        if (!running.containsKey(Roster.BASELINE)) {
            throw new RivalException("Without " + Roster.BASELINE + " there is nothing to compare with.");
        }
    }

    private void skip(String name, String reason) {
        System.err.println(name + " is left out: " + reason);
        skipped.add(new Report.Skipped(name, reason));
    }

    /** The commit of the working tree, and whether there are changes on top; "unknown" without git. */
    private String commit() {
        try {
            String id = git("rev-parse", "HEAD");
            return git("status", "--porcelain").isEmpty() ? id : id + " with changes";
        } catch (IOException e) {
            return "unknown";
        }
    }

    private String git(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("git", "--no-optional-locks", "-C", root.toString()));
        command.addAll(List.of(arguments));
        Process git = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String output = new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (git.onExit().join().exitValue() != 0) {
            throw new IOException("git failed");
        }
        return output;
    }
}
