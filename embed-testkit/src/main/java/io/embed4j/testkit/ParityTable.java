// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.embed4j.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the contract measured: one cell for each fixture and precision of a device. Nothing is left out: a model that the
 * device refuses in a precision has a cell that says so.
 *
 * <p>Printed when the contract has run, and written to {@code target/parity}, from where docs/models.md is generated.
 */
public final class ParityTable {
    private static final String BUILD = "target";
    private static final String FOLDER = BUILD + "/parity";

    private final List<Cell> cells = Collections.synchronizedList(new ArrayList<>());

    /**
     * One measurement.
     *
     * @param fixture the fixture's name
     * @param modelType its family in config.json
     * @param device the backend: {@code cpu} or {@code cuda}
     * @param precision what ran
     * @param share largest error over the bar; NaN where there is no bar
     * @param cosine smallest cosine to the reference; NaN if refused
     * @param refusal why it is refused; empty if it ran
     */
    public record Cell(
            String fixture,
            String modelType,
            String device,
            String precision,
            double share,
            double cosine,
            String refusal) {

        /** As people read it. */
        public String text() {
            if (!refusal.isEmpty()) {
                return "refused";
            }
            return Double.isNaN(share)
                    ? String.format(Locale.ROOT, "%.4f", Math.floor(cosine * 1e4) / 1e4)
                    : String.format(Locale.ROOT, "%.0f %%", 100 * share);
        }
    }

    /** A cell of vectors that have a bar, or none. */
    void add(Fixture fixture, String device, Precision precision, double share, double cosine) {
        cells.add(new Cell(fixture.name(), fixture.modelType(), kind(device), precision.toString(), share, cosine, ""));
    }

    /** A cell of a model that the device does not run in that precision. */
    void addRefused(Fixture fixture, String device, Precision precision, String refusal) {
        cells.add(new Cell(
                fixture.name(),
                fixture.modelType(),
                kind(device),
                precision.toString(),
                Double.NaN,
                Double.NaN,
                refusal));
    }

    private static String kind(String device) {
        return device.replaceFirst(":.*", "");
    }

    /** Prints the table and writes it, if there is anything in it. */
    void finish() {
        if (cells.isEmpty()) {
            return;
        }
        String device = cells.get(0).device();
        List<String> precisions =
                cells.stream().map(Cell::precision).distinct().sorted().toList();
        System.out.printf("%s: share of the bar, or smallest cosine where there is none%n", device);
        System.out.printf(
                "%-24s %s%n",
                "",
                String.join(" ", precisions.stream().map(ParityTable::column).toList()));
        for (String fixture :
                cells.stream().map(Cell::fixture).distinct().sorted().toList()) {
            System.out.printf(
                    "%-24s %s%n",
                    fixture,
                    precisions.stream()
                            .map(precision -> column(cells.stream()
                                    .filter(cell -> cell.fixture().equals(fixture)
                                            && cell.precision().equals(precision))
                                    .map(Cell::text)
                                    .collect(Collectors.joining("!"))))
                            .collect(Collectors.joining(" ")));
        }
        if (!Files.isDirectory(Path.of(BUILD))) {
            return; // not a build: the check on a GPU
        }
        try {
            Path folder = Files.createDirectories(Path.of(FOLDER));
            List<Cell> sorted = cells.stream()
                    .sorted(Comparator.comparing(Cell::fixture).thenComparing(Cell::precision))
                    .toList();
            Files.writeString(
                    folder.resolve(device + ".json"),
                    new GsonBuilder()
                            .serializeSpecialFloatingPointValues()
                            .create()
                            .toJson(sorted));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String column(String text) {
        return String.format("%8s", text);
    }

    /**
     * Reads what the contracts of some modules have written.
     *
     * @param modules their folders
     * @return all cells; none of a module whose contract did not run
     */
    public static List<Cell> read(Stream<Path> modules) {
        return modules.map(module -> module.resolve(FOLDER))
                .filter(Files::isDirectory)
                .flatMap(folder -> {
                    try (Stream<Path> files = Files.list(folder)) {
                        return files.sorted().toList().stream();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                })
                .flatMap(file -> {
                    try {
                        return Arrays.stream(new Gson().fromJson(Files.readString(file), Cell[].class));
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                })
                .toList();
    }
}
