// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.EmbedderFactory;
import io.embed4j.HelpTopic;
import io.embed4j.InstallationReport;
import io.embed4j.InstallationReport.Check;
import io.embed4j.InstallationReport.Status;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code embed doctor}: whether the installation works, and what to do where it does not. */
@Command(
        name = "doctor",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Checks the installation, computes known vectors on every device, and says what to do about each"
                + " failure.",
        footer = {"", "Exit code: 0 if all is well, 1 if a check failed."})
final class DoctorCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(
            names = {"-d", "--device"},
            paramLabel = "DEVICE",
            description = "A device that must be usable, for instance cuda:0. Default: auto, any.")
    private String device = "auto";

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    DoctorCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        InstallationReport report = embedders.get().checkInstallation(device);
        terminal.print(json ? toJson(report) : toTable(report));
        return report.passed() ? 0 : CliException.FAILED;
    }

    /** One line a check, and one below it where there is something to do. */
    static String toTable(InstallationReport report) {
        int width = report.checks().stream()
                .mapToInt(check -> check.name().length())
                .max()
                .orElse(0);
        String indent = " ".repeat("FAILED".length() + 2 + width + 2);
        StringBuilder table = new StringBuilder();
        for (Check check : report.checks()) {
            String status = check.status() == Status.FAILED
                    ? "FAILED"
                    : check.status().name().toLowerCase(Locale.ROOT);
            table.append(String.format("%-6s  %-" + width + "s  %s%n", status, check.name(), check.detail()));
            String advice = (check.remedy() + link(check)).strip();
            if (!advice.isEmpty()) {
                table.append(indent).append("-> ").append(advice).append(System.lineSeparator());
            }
        }
        return table.append(String.format(
                        "%n%d ok, %d to note, %d failed%n",
                        report.count(Status.OK), report.count(Status.NOTICE), report.count(Status.FAILED)))
                .toString();
    }

    /** None where the remedy itself leads to a section, as those of GPUs do: theirs is the closer one. */
    private static String link(Check check) {
        return check.remedy().contains(" See docs/")
                ? ""
                : check.help().map(topic -> " See " + topic.link()).orElse("");
    }

    private static String toJson(InstallationReport report) {
        JsonArray checks = new JsonArray();
        for (Check check : report.checks()) {
            JsonObject entry = new JsonObject();
            entry.addProperty("name", check.name());
            entry.addProperty("status", check.status().name().toLowerCase(Locale.ROOT));
            entry.addProperty("detail", check.detail());
            entry.addProperty("remedy", check.remedy());
            entry.addProperty("help", check.help().map(HelpTopic::link).orElse(""));
            checks.add(entry);
        }
        JsonObject root = new JsonObject();
        root.addProperty("passed", report.passed());
        root.add("checks", checks);
        return Terminal.toJson(root);
    }
}
