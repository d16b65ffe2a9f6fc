// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.FitReport;
import io.embed4j.FitTable;
import io.embed4j.GpuCard;
import io.embed4j.Precision;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code embed fit}: whether models fit devices' memory, from their configuration alone. */
@Command(
        name = "fit",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Says whether a model fits a device's memory, in every precision, without loading it.",
        footer = {
            "",
            "Exit code: 0 if every model fits as asked on one of the devices, 1 if not. Precisions that are computed only do"
                    + " not count."
        })
final class FitCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(
            names = {"-m", "--model"},
            paramLabel = "MODEL",
            description = "A model directory of which config.json is enough, its config.json, hf:ORG/NAME (without its"
                    + " weights), or embedded:NAME. May be repeated. Default: " + EmbedderOptions.DEFAULT_MODEL + ".")
    private List<String> models = List.of(EmbedderOptions.DEFAULT_MODEL);

    @Option(
            names = {"-d", "--device"},
            paramLabel = "DEVICE",
            description = "cpu or cuda:N. Default: auto, every device of this machine.")
    private @Nullable String device;

    @Option(
            names = "--gpu",
            paramLabel = "NAME",
            description = "A card that need not be here, for instance \"RTX 3060 12GB\". May be repeated.")
    private List<String> gpus = List.of();

    @Option(
            names = {"-p", "--precision"},
            paramLabel = "PRECISION",
            converter = LoadOptions.PrecisionConverter.class,
            description = "Only this precision: fp32, fp16, bf16, int8 or int4. Default: all.")
    private @Nullable Precision precision;

    @Option(
            names = "--max-batch-tokens",
            paramLabel = "N",
            description = "Most tokens in one batch. Default: 0, each device's own choice.")
    private int maxBatchTokens;

    @Option(names = "--json", description = "Print JSON; memory in bytes.")
    private boolean json;

    @Option(names = "--markdown", description = "Print models by devices as a table in Markdown.")
    private boolean markdown;

    FitCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        if (device != null && !gpus.isEmpty()) {
            throw CliException.usage("--device and --gpu do not go together: a card of --gpu need not be here.");
        }
        if (json && markdown) {
            throw CliException.usage("--json and --markdown do not go together.");
        }
        List<FitTable> byModel = tables();
        FitTable table = FitTable.join(byModel);
        terminal.print(json ? toJson(table) : markdown ? table.toMarkdown() : table.toString());
        if (markdown) {
            table.notes().forEach(terminal.err()::println);
        }
        return byModel.stream().allMatch(FitCommand::fitsSomewhere) ? 0 : CliException.FAILED;
    }

    /** One for each model. */
    private List<FitTable> tables() {
        EmbedderFactory factory = embedders.get();
        List<GpuCard> cards = new ArrayList<>();
        List<EmbedderOptions> wanted = new ArrayList<>();
        try {
            gpus.forEach(name -> cards.add(factory.gpuCard(name)));
            for (String model : models) {
                wanted.add(EmbedderOptions.defaults()
                        .withModel(model)
                        .withDevice(device == null ? "auto" : device)
                        .withMaxBatchTokens(maxBatchTokens));
            }
        } catch (IllegalArgumentException e) {
            throw CliException.usage(String.valueOf(e.getMessage()));
        }
        return wanted.stream()
                .map(options -> inWantedPrecision(factory.fitAll(options, cards)))
                .toList();
    }

    private FitTable inWantedPrecision(FitTable all) {
        Precision only = precision;
        if (only == null || only == Precision.AUTO) {
            return all;
        }
        List<String> notes = new ArrayList<>(all.notes());
        all.reports().stream()
                .collect(Collectors.groupingBy(FitReport::device, LinkedHashMap::new, Collectors.toList()))
                .forEach((place, reports) -> {
                    if (reports.stream().noneMatch(report -> report.precision() == only)) {
                        List<Precision> offered = reports.stream()
                                .filter(report -> !report.planned())
                                .map(FitReport::precision)
                                .toList();
                        notes.add(place + " does not offer " + only + " for "
                                + reports.get(0).model() + ". It offers " + offered + ".");
                    }
                });
        return new FitTable(
                all.reports().stream()
                        .filter(report -> report.precision() == only)
                        .toList(),
                notes);
    }

    private static boolean fitsSomewhere(FitTable table) {
        return table.reports().stream()
                .anyMatch(report -> report.verdict() == FitReport.Verdict.FITS && !report.planned());
    }

    private static String toJson(FitTable table) {
        JsonArray reports = new JsonArray();
        table.reports().forEach(report -> reports.add(toJson(report)));
        JsonArray notes = new JsonArray();
        table.notes().forEach(notes::add);
        JsonObject root = new JsonObject();
        root.add("reports", reports);
        root.add("notes", notes);
        return Terminal.toJson(root);
    }

    private static JsonObject toJson(FitReport report) {
        JsonObject fit = new JsonObject();
        fit.addProperty("model", report.model());
        fit.addProperty("device", report.device());
        fit.addProperty("precision", report.precision().toString());
        fit.addProperty("planned", report.planned());
        fit.addProperty("tokenBudget", report.tokenBudget());
        FitReport.Needs needs = report.needs();
        fit.addProperty("weightBytes", needs.weightBytes());
        fit.addProperty("activationBytes", needs.activationBytes());
        fit.addProperty("workspaceBytes", needs.workspaceBytes());
        fit.addProperty("stagingBytes", needs.stagingBytes());
        fit.addProperty("neededBytes", report.neededBytes());
        fit.addProperty("estimatedGraphBytes", needs.graphBytes());
        fit.addProperty("estimatedProcessBytes", needs.processBytes());
        fit.addProperty("freeBytes", report.freeBytes());
        fit.addProperty("totalBytes", report.totalBytes());
        fit.addProperty("verdict", report.verdict().name().toLowerCase(Locale.ROOT));
        fit.addProperty("remedy", report.remedy());
        fit.addProperty("largestTokenBudget", report.room().largestTokenBudget());
        fit.addProperty("longestText", report.room().longestText());
        JsonObject indexRows = new JsonObject();
        report.room()
                .indexRows()
                .forEach((storage, rows) -> indexRows.addProperty(storage.name().toLowerCase(Locale.ROOT), rows));
        fit.add("indexRows", indexRows);
        FitReport.Throughput throughput = report.throughput();
        if (throughput != null) {
            JsonObject estimate = new JsonObject();
            estimate.addProperty("tokensPerSecond", Math.round(throughput.tokensPerSecond()));
            estimate.addProperty("textTokens", throughput.textTokens());
            estimate.addProperty("formula", throughput.formula());
            fit.add("estimate", estimate);
        }
        return fit;
    }
}
