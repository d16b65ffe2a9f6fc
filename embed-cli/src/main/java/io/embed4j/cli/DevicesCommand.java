// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.DeviceReport;
import io.embed4j.EmbedderFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code embed devices}: what can run models here, and what would be needed where nothing can. */
@Command(
        name = "devices",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Lists devices, the best usable one first; says why others cannot be used.")
final class DevicesCommand implements Callable<Integer> {
    private static final Map<String, String> LABELS = Map.of(
            "computeCapability", "compute capability",
            "cuda", "CUDA",
            "cublas", "cuBLAS",
            "instructionSets", "instruction sets");

    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(names = "--json", description = "Print JSON; memory in bytes.")
    private boolean json;

    DevicesCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        DeviceReport report = embedders.get().detectDevices();
        terminal.print(json ? toJson(report) : toTable(report));
        return 0;
    }

    private static String toTable(DeviceReport report) {
        int idWidth = "DEVICE".length();
        for (DeviceReport.Entry entry : report.entries()) {
            idWidth = Math.max(idWidth, entry.id().length());
        }
        String format = "%-" + idWidth + "s  %10s  %10s  %s%n";
        StringBuilder table = new StringBuilder(String.format(Locale.ROOT, format, "DEVICE", "FREE", "TOTAL", "NAME"));
        for (DeviceReport.Entry entry : report.entries()) {
            String name = entry.usable()
                    ? entry.name()
                    : (entry.name().isEmpty() ? "" : entry.name() + ": ") + "not usable: " + entry.problem() + " "
                            + entry.remedy();
            table.append(String.format(
                    Locale.ROOT,
                    format,
                    entry.id(),
                    gibibytes(entry.freeBytes()),
                    gibibytes(entry.totalBytes()),
                    name.strip()));
            for (String line : about(entry)) {
                table.append(" ".repeat(idWidth + 2)).append(line).append(System.lineSeparator());
            }
        }
        return table.toString();
    }

    private static List<String> about(DeviceReport.Entry entry) {
        List<String> lines = new ArrayList<>();
        for (Map.Entry<String, String> detail : entry.details().entrySet()) {
            lines.add(LABELS.getOrDefault(detail.getKey(), detail.getKey()) + ": " + detail.getValue());
        }
        if (!entry.engine().isEmpty()) {
            lines.add("engine: " + entry.engine());
        }
        return lines;
    }

    private static String toJson(DeviceReport report) {
        JsonArray devices = new JsonArray();
        for (DeviceReport.Entry entry : report.entries()) {
            JsonObject device = new JsonObject();
            device.addProperty("id", entry.id());
            device.addProperty("name", entry.name());
            device.addProperty("usable", entry.usable());
            device.addProperty("totalBytes", entry.totalBytes());
            device.addProperty("freeBytes", entry.freeBytes());
            device.addProperty("problem", entry.problem());
            device.addProperty("remedy", entry.remedy());
            device.addProperty("engine", entry.engine());
            JsonObject details = new JsonObject();
            entry.details().forEach(details::addProperty);
            device.add("details", details);
            devices.add(device);
        }
        return Terminal.toJson(devices);
    }

    private static String gibibytes(long bytes) {
        return bytes == 0 ? "-" : String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
    }
}
