// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import io.embed4j.FitReport.Throughput;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Fit reports beside each other: models in several precisions on several devices.
 *
 * <pre>{@code
 * FitTable table = Fit.planAll(EmbedderOptions.defaults().withDevice("cpu"));
 * System.out.print(table);
 * System.out.print(table.toMarkdown());
 * }</pre>
 *
 * @param reports device by device, precision by precision, the best first
 * @param notes what there is to say of devices and precisions without a report, as sentences
 * @since 0.1
 */
public record FitTable(List<FitReport> reports, List<String> notes) implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Copies the lists. */
    public FitTable {
        reports = List.copyOf(reports);
        notes = List.copyOf(notes);
    }

    /**
     * Puts tables under each other.
     *
     * @param tables in order
     * @return all of their reports, and their notes, each once
     */
    public static FitTable join(List<FitTable> tables) {
        Set<String> notes = new LinkedHashSet<>();
        tables.forEach(table -> notes.addAll(table.notes));
        return new FitTable(
                tables.stream().flatMap(table -> table.reports.stream()).toList(), List.copyOf(notes));
    }

    /** For people: a block per model and device with a row per precision, memory in GiB, then what there is to note. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        byModelAndDevice()
                .forEach((heading, group) -> text.append(heading)
                        .append(System.lineSeparator())
                        .append(block(group))
                        .append(System.lineSeparator()));
        footnotes().forEach(note -> text.append(note).append(System.lineSeparator()));
        return text.toString();
    }

    private Map<String, List<FitReport>> byModelAndDevice() {
        return reports.stream()
                .collect(Collectors.groupingBy(
                        report -> String.format(
                                Locale.ROOT,
                                "%s on %s: %s GiB free of %s",
                                report.model(),
                                report.device(),
                                FitReport.gibibytes(report.freeBytes()),
                                FitReport.gibibytes(report.totalBytes())),
                        LinkedHashMap::new,
                        Collectors.toList()));
    }

    private static String block(List<FitReport> group) {
        TextTable table = new TextTable(
                "PRECISION",
                "WEIGHTS",
                "ACTIVATIONS",
                "WORKSPACE",
                "STAGING",
                "NEEDED",
                "BUDGET",
                "LARGEST",
                "LONGEST TEXT",
                "TOKENS/S",
                "INDEX VECTORS",
                "VERDICT");
        for (FitReport report : group) {
            FitReport.Needs needs = report.needs();
            table.add(
                    report.precision() + (report.planned() ? "*" : ""),
                    FitReport.gibibytes(needs.weightBytes()),
                    FitReport.gibibytes(needs.activationBytes()),
                    FitReport.gibibytes(needs.workspaceBytes()),
                    FitReport.gibibytes(needs.stagingBytes()),
                    FitReport.gibibytes(report.neededBytes()),
                    Integer.toString(report.tokenBudget()),
                    Integer.toString(report.room().largestTokenBudget()),
                    Integer.toString(report.room().longestText()),
                    speed(report),
                    indexRows(report),
                    verdict(report));
        }
        return table.toString();
    }

    private static String speed(FitReport report) {
        Throughput throughput = report.throughput();
        return throughput == null ? "-" : "<= " + count(throughput.tokensPerSecond());
    }

    private static String indexRows(FitReport report) {
        Map<Long, List<String>> storagesByRows = new LinkedHashMap<>();
        report.room()
                .indexRows()
                .forEach((storage, rows) -> storagesByRows
                        .computeIfAbsent(rows, key -> new ArrayList<>())
                        .add(storage.name().toLowerCase(Locale.ROOT)));
        return storagesByRows.isEmpty()
                ? "-"
                : storagesByRows.entrySet().stream()
                        .map(entry -> count(entry.getKey()) + " " + String.join("/", entry.getValue()))
                        .collect(Collectors.joining(", "));
    }

    private static String verdict(FitReport report) {
        return switch (report.verdict()) {
            case FITS -> "FITS";
            case FITS_WITH_REMEDY -> "FITS WITH: " + report.remedy();
            case DOES_NOT_FIT -> "DOES NOT FIT: " + report.remedy();
        };
    }

    /** What the numbers of a table do not say. */
    private List<String> footnotes() {
        List<String> all = new ArrayList<>();
        if (!reports.isEmpty()) {
            all.add("Memory in GiB. BUDGET is the most tokens in one batch, LARGEST the largest that would fit.");
        }
        if (reports.stream().anyMatch(FitReport::planned)) {
            all.add("* computed only: this version does not run the precision on the device.");
        }
        reports.stream()
                .map(FitReport::needs)
                .filter(needs -> needs.processBytes() > 0)
                .max(Comparator.comparing(FitReport.Needs::graphBytes))
                .ifPresent(needs -> all.add("Estimates beside it: the driver takes about "
                        + FitReport.gibibytes(needs.processBytes())
                        + " for each process, which free memory has taken off, and up to "
                        + FitReport.gibibytes(needs.graphBytes())
                        + " for recorded launches, which are made only where there is room."));
        reports.stream()
                .map(FitReport::throughput)
                .filter(Objects::nonNull)
                .findFirst()
                .ifPresent(throughput -> all.add("TOKENS/S is an estimate from published data, not a measurement: "
                        + throughput.formula() + "."));
        all.addAll(notes);
        return all;
    }

    /**
     * Models by devices, as a table in Markdown: in each cell the device's best precision in which the model fits.
     *
     * @return a row per model, a column per device
     */
    public String toMarkdown() {
        List<String> devices =
                reports.stream().map(FitReport::device).distinct().toList();
        List<String> models = reports.stream().map(FitReport::model).distinct().toList();
        StringBuilder text = new StringBuilder("| model |");
        devices.forEach(device -> text.append(' ').append(device).append(" |"));
        text.append("\n|---|").append("---|".repeat(devices.size())).append('\n');
        for (String model : models) {
            text.append("| ").append(model).append(" |");
            for (String device : devices) {
                text.append(' ').append(cell(model, device)).append(" |");
            }
            text.append('\n');
        }
        return text.toString();
    }

    private String cell(String model, String device) {
        return reports.stream()
                .filter(report ->
                        report.model().equals(model) && report.device().equals(device) && !report.planned())
                .min(Comparator.comparing(FitReport::verdict))
                .map(FitTable::cell)
                .orElse("-");
    }

    private static String cell(FitReport report) {
        String needed = report.precision() + " " + FitReport.gibibytes(report.neededBytes()) + " GiB";
        Throughput throughput = report.throughput();
        String speed = throughput == null ? "" : ", <= " + count(throughput.tokensPerSecond()) + " tokens/s";
        return switch (report.verdict()) {
            case FITS -> needed + speed;
            case FITS_WITH_REMEDY -> needed + ": " + report.remedy();
            case DOES_NOT_FIT -> "does not fit";
        };
    }

    /** Three digits at most: 950, 12 k, 3.4 M, 120 M. */
    private static String count(double value) {
        if (value < 1000) {
            return String.format(Locale.ROOT, "%.0f", value);
        }
        double scaled = value;
        String unit = "";
        for (String next : List.of(" k", " M", " G")) {
            if (scaled < 1000) {
                break;
            }
            scaled /= 1000;
            unit = next;
        }
        return String.format(Locale.ROOT, scaled < 10 ? "%.1f" : "%.0f", scaled) + unit;
    }
}
