// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Horizontal bars in groups, as SVG. */
final class BarChart {
    private static final int WIDTH = 760;
    private static final int LABEL_WIDTH = 250;
    private static final int VALUE_WIDTH = 70;
    private static final int BAR_HEIGHT = 18;
    private static final int LINE_HEIGHT = 24;
    private static final int HEAD_HEIGHT = 40;
    private static final String OURS = "#2f6f4f";
    private static final String OTHERS = "#9aa5ad";

    private final String title;
    private final List<Bar> bars = new ArrayList<>();

    private record Bar(String group, String name, double value) {}

    BarChart(String title) {
        this.title = title;
    }

    /** Adds a bar; those of a group must follow each other. */
    void add(String group, String name, double value) {
        bars.add(new Bar(group, name, value));
    }

    String toSvg() {
        double largest = bars.stream().mapToDouble(Bar::value).max().orElse(1);
        StringBuilder body = new StringBuilder();
        int y = HEAD_HEIGHT;
        String group = "";
        for (Bar bar : bars) {
            if (!bar.group().equals(group)) {
                group = bar.group();
                y += LINE_HEIGHT;
                body.append(text(0, y - LINE_HEIGHT / 3, "font-weight=\"bold\"", group));
            }
            int length = (int) Math.round((WIDTH - LABEL_WIDTH - VALUE_WIDTH) * bar.value() / largest);
            body.append(text(LABEL_WIDTH - 8, y + BAR_HEIGHT - 5, "text-anchor=\"end\"", bar.name()));
            body.append(String.format(
                    Locale.ROOT,
                    "  <rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>%n",
                    LABEL_WIDTH,
                    y,
                    length,
                    BAR_HEIGHT,
                    bar.name().startsWith(Row.EMBED4J) ? OURS : OTHERS));
            String value = String.format(Locale.ROOT, "%.3g", bar.value());
            body.append(text(LABEL_WIDTH + length + 6, y + BAR_HEIGHT - 5, "", value));
            y += LINE_HEIGHT;
        }
        return String.format(
                        Locale.ROOT,
                        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\""
                                + " font-size=\"13\">%n  <rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
                        WIDTH,
                        y + LINE_HEIGHT)
                + text(0, LINE_HEIGHT, "font-size=\"15\"", title)
                + body
                + "</svg>\n";
    }

    private static String text(int x, int y, String attributes, String content) {
        String escaped = content.replace("&", "&amp;").replace("<", "&lt;");
        return String.format(Locale.ROOT, "  <text x=\"%d\" y=\"%d\" %s>%s</text>%n", x + 4, y, attributes, escaped);
    }
}
