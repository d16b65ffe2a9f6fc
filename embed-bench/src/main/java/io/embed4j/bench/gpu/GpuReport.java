// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import com.google.gson.GsonBuilder;
import io.embed4j.DeviceInfo;
import io.embed4j.bench.index.Growth;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * What is known so far, as Markdown, JSON and a chart. The device's own name heads everything: the emulated device calls
 * itself emulated.
 *
 * @param device where
 * @param date when it began
 * @param commit what was built
 * @param seconds so far
 * @param rows all figures
 * @param remarks steps that were stopped, failed or left out
 */
record GpuReport(DeviceInfo device, String date, String commit, double seconds, List<Row> rows, List<String> remarks) {
    static final String MARKDOWN = "compare-gpu.md";
    static final String JSON = "compare-gpu.json";
    static final String CHART = "compare-gpu.svg";

    /** What ratios are to. */
    private static final String BASELINE_DTYPE = "fp16";

    private static final int FLOOR_LENGTH = 128;
    private static final String FLOOR_LOAD = FLOOR_LENGTH + " tokens";
    private static final double TERA = 1e12;
    private static final double MILLIS = 1e3;
    private static final int SIZES_OF_A_SLOPE = 3;

    /** Writes all three files. */
    void write(Path directory) throws IOException {
        Files.writeString(directory.resolve(MARKDOWN), markdown());
        Files.writeString(
                directory.resolve(JSON),
                new GsonBuilder().setPrettyPrinting().create().toJson(this) + "\n");
        Files.writeString(directory.resolve(CHART), chart());
    }

    String markdown() {
        StringBuilder text = new StringBuilder("# embed4j and its peers on " + device.name() + "\n\n");
        text.append("- ").append(date).append(", commit ").append(commit).append('\n');
        text.append("- ")
                .append(device.id())
                .append(": ")
                .append(device.engine())
                .append('\n');
        for (Row row : select(row -> row.engine().equals(Row.DEVICE))) {
            text.append(String.format(
                    Locale.ROOT, "- %s of %s: %.4g %s%n", row.work(), row.load(), row.value(), row.unit()));
        }
        text.append(String.format(
                Locale.ROOT, "- %.0f s in all; medians; tokens are real ones, without padding%n", seconds));
        remarks.forEach(remark -> text.append("- ").append(remark).append('\n'));
        for (Shape shape : Shape.values()) {
            if (!select(row -> shape.id().equals(row.shape())).isEmpty()) {
                shape(text, shape);
            }
        }
        topK(text);
        return text.toString();
    }

    private void shape(StringBuilder text, Shape shape) {
        text.append("\n## ").append(shape.id()).append("\n\n");
        text.append("| who | dtype | work | load | batch | figure | | times sentence-transformers " + BASELINE_DTYPE
                + " at its best | share of the products' rate | |\n");
        text.append("|---|---|---|---|---:|---:|---|---:|---:|---|\n");
        for (Row row : select(row -> shape.id().equals(row.shape()))) {
            Optional<Double> ratio = baseline(row).map(baseline -> ratio(row, baseline));
            Optional<Double> share = share(shape, row);
            text.append(String.format(
                    Locale.ROOT,
                    "| %s | %s | %s | %s | %s | %.4g | %s | %s | %s | %s |%n",
                    row.engine(),
                    row.dtype(),
                    row.work(),
                    row.load(),
                    row.batch() == 0 ? "" : row.batch(),
                    row.value(),
                    row.unit(),
                    ratio.map(value -> String.format(Locale.ROOT, "%.2f", value))
                            .orElse(""),
                    share.map(value -> String.format(Locale.ROOT, "%.0f %%", 100 * value))
                            .orElse(""),
                    verdict(shape, row, ratio, share)));
        }
    }

    /** Only embed4j has targets. */
    private static String verdict(Shape shape, Row row, Optional<Double> ratio, Optional<Double> share) {
        if (!row.engine().equals(Row.EMBED4J)) {
            return "";
        }
        if (row.load().equals(Row.ONE_TEXT)) {
            return shape.oneText().verdict(row.value());
        }
        return share.map(value -> shape.share().verdict(value))
                .or(() -> ratio.map(value -> shape.text().verdict(value)))
                .orElse("");
    }

    /** sentence-transformers in fp16 on the same texts, at its best batch size. */
    private Optional<Double> baseline(Row row) {
        if (!row.work().equals(Row.TEXT_TO_HOST)) {
            return Optional.empty();
        }
        return select(other -> other.engine().equals(Row.SENTENCE_TRANSFORMERS)
                        && BASELINE_DTYPE.equals(other.dtype())
                        && Objects.equals(other.shape(), row.shape())
                        && other.load().equals(row.load()))
                .stream()
                .map(Row::value)
                .max(row.unit().equals(Row.MICROSECONDS) ? Comparator.reverseOrder() : Comparator.naturalOrder());
    }

    private static double ratio(Row row, double baseline) {
        return row.unit().equals(Row.MICROSECONDS) ? baseline / row.value() : row.value() / baseline;
    }

    /** How much of the rate of the large product the encoder's own operations reach, rows of 128 tokens. */
    private Optional<Double> share(Shape shape, Row row) {
        if (!row.load().equals(FLOOR_LOAD) || !row.unit().equals(Row.TOKENS_PER_SECOND)) {
            return Optional.empty();
        }
        return rate("product").map(product -> row.value() * shape.flopPerToken(FLOOR_LENGTH) / (product * TERA));
    }

    private void topK(StringBuilder text) {
        List<Row> searches = select(row -> row.work().equals(Row.TOP_K));
        if (searches.isEmpty()) {
            return;
        }
        text.append("\n## top-k\n\n| who | dtype | load | ms | times torch | times the floor | |\n"
                + "|---|---|---|---:|---:|---:|---|\n");
        for (Row row : searches) {
            Search search = Search.of(row);
            Optional<Double> ratio = select(other -> other.engine().startsWith("torch")
                            && other.work().equals(Row.TOP_K)
                            && other.load().equals(row.load()))
                    .stream()
                    .findFirst()
                    .map(torch -> torch.value() / row.value());
            Optional<Double> floor = rate("copy")
                    .flatMap(copy -> rate("product")
                            .map(product -> row.value() / MILLIS / search.floorSeconds(copy * TERA, product * TERA)));
            text.append(String.format(
                    Locale.ROOT,
                    "| %s | %s | %s | %.4g | %s | %s | %s |%n",
                    row.engine(),
                    row.dtype(),
                    row.load(),
                    row.value(),
                    ratio.map(value -> String.format(Locale.ROOT, "%.2f", value))
                            .orElse(""),
                    floor.map(value -> String.format(Locale.ROOT, "%.2f", value))
                            .orElse(""),
                    row.engine().equals(Row.EMBED4J)
                            ? floor.map(search::verdict).orElse("")
                                    + ratio.map(search::verdictOnTorch).orElse("")
                            : ""));
        }
        growth(text, searches);
    }

    /** How time grows with the rows, all else being equal. */
    private static void growth(StringBuilder text, List<Row> searches) {
        Map<String, Map<Long, Double>> byLoad = new LinkedHashMap<>();
        for (Row row : searches) {
            Search search = Search.of(row);
            String load = row.engine() + " " + row.dtype() + ", D = " + search.dimension() + ", Q = " + search.queries()
                    + ", k = " + search.k();
            byLoad.computeIfAbsent(load, absent -> new TreeMap<>()).put(search.rows(), row.value());
        }
        text.append('\n');
        byLoad.forEach((load, times) -> {
            if (times.size() >= SIZES_OF_A_SLOPE) {
                text.append(String.format(
                        Locale.ROOT,
                        "- %s: log-log slope in N %.2f over %s rows%n",
                        load,
                        Growth.slope(times),
                        times.keySet()));
            }
        });
    }

    /** What the device itself did in this run, in tera. */
    private Optional<Double> rate(String work) {
        return select(row -> row.engine().equals(Row.DEVICE) && row.work().equals(work)).stream()
                .findFirst()
                .map(Row::value);
    }

    /** Ragged text to vectors: the best of each engine and dtype, shape by shape. */
    private String chart() {
        BarChart chart = new BarChart("Ragged text to vectors on " + device.name() + ", million tokens a second");
        for (Shape shape : Shape.values()) {
            List<Row> bars = select(row -> shape.id().equals(row.shape())
                    && row.work().equals(Row.TEXT_TO_HOST)
                    && row.load().equals(Row.RAGGED));
            bars.stream()
                    .map(row -> row.engine() + " " + row.dtype())
                    .distinct()
                    .forEach(name -> chart.add(
                            shape.id(),
                            name,
                            bars.stream()
                                            .filter(row -> name.equals(row.engine() + " " + row.dtype()))
                                            .mapToDouble(Row::value)
                                            .max()
                                            .orElseThrow()
                                    / 1e6));
        }
        return chart.toSvg();
    }

    private List<Row> select(Predicate<Row> wanted) {
        return rows.stream().filter(wanted).toList();
    }
}
