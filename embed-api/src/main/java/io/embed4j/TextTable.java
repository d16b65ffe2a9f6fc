// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.ArrayList;
import java.util.List;

/** Columns of text, as wide as their widest cell; numbers stand to the right. */
final class TextTable {
    private final List<String[]> rows = new ArrayList<>();

    TextTable(String... headings) {
        rows.add(headings);
    }

    void add(String... cells) {
        if (cells.length != rows.get(0).length) {
            throw new IllegalArgumentException(
                    "A row of " + cells.length + " cells does not go under " + rows.get(0).length + " headings.");
        }
        rows.add(cells);
    }

    /** Every row with its line's end. */
    @Override
    public String toString() {
        int columns = rows.get(0).length;
        StringBuilder text = new StringBuilder();
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < columns; column++) {
                int width = width(column);
                String pad = " ".repeat(width - row[column].length());
                line.append(isNumeric(column) ? pad + row[column] : row[column] + pad)
                        .append("  ");
            }
            text.append(line.toString().stripTrailing()).append(System.lineSeparator());
        }
        return text.toString();
    }

    private int width(int column) {
        return rows.stream().mapToInt(row -> row[column].length()).max().orElse(0);
    }

    private boolean isNumeric(int column) {
        return rows.stream().skip(1).allMatch(row -> row[column].matches("[-<= ]*[\\d.]*[ kMG]*"));
    }
}
