// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.JsonObject;
import io.embed4j.EmbedderFactory;
import io.embed4j.FitReport;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code embed fit}: whether a model fits a device's memory, without loading its weights. */
@Command(
        name = "fit",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Says whether a model fits a device's memory, without loading it.",
        footer = {"", "Exit code: 0 if it fits as asked, 1 if not."})
final class FitCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Mixin
    private LoadOptions load = new LoadOptions();

    @Option(names = "--json", description = "Print JSON; memory in bytes.")
    private boolean json;

    FitCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        FitReport report = embedders.get().fit(load.toEmbedderOptions());
        terminal.print(json ? toJson(report) : toText(report));
        return report.verdict() == FitReport.Verdict.FITS ? 0 : CliException.FAILED;
    }

    private static String toText(FitReport report) {
        String budget = report.largestTokenBudget() == 0
                ? ""
                : " Largest --max-batch-tokens that fits: " + report.largestTokenBudget() + ".";
        String verdict = switch (report.verdict()) {
            case FITS -> "It fits.";
            case FITS_WITH_REMEDY -> "As asked it does not fit.";
            case DOES_NOT_FIT -> "It does not fit.";
        };
        return String.format("%s%n%s%s%n", report, verdict, budget);
    }

    private static String toJson(FitReport report) {
        JsonObject fit = new JsonObject();
        fit.addProperty("model", report.model());
        fit.addProperty("device", report.device());
        fit.addProperty("precision", report.precision().toString());
        fit.addProperty("weightBytes", report.weightBytes());
        fit.addProperty("activationBytes", report.activationBytes());
        fit.addProperty("workspaceBytes", report.workspaceBytes());
        fit.addProperty("neededBytes", report.neededBytes());
        fit.addProperty("freeBytes", report.freeBytes());
        fit.addProperty("totalBytes", report.totalBytes());
        fit.addProperty("verdict", report.verdict().name().toLowerCase(Locale.ROOT));
        fit.addProperty("largestTokenBudget", report.largestTokenBudget());
        fit.addProperty("remedy", report.remedy());
        return Terminal.toJson(fit);
    }
}
