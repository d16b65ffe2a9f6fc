// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import com.google.gson.Gson;
import com.google.gson.JsonSyntaxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One figure, as a line of JSON in the file that {@link MeasureEmbed4j} and {@code peers.py} append to.
 *
 * @param engine who: {@code embed4j}, {@code sentence-transformers}, {@code device} for what the hardware does
 * @param work from where to where: {@code text to host}, {@code ids to host}, {@code ids to device}, {@code top-k}, {@code error}, or what
 *     the device did
 * @param load on what: {@code ragged}, {@code 128 tokens}, {@code one text}
 * @param unit {@code tokens/s}, {@code us}, {@code ms}, {@code TFLOP/s}, {@code TB/s}
 * @param value the figure, a median
 * @param shape of the model; null where there is none
 * @param dtype of the computation; null where there is none
 * @param batch texts a batch; 0 where the engine chooses
 */
record Row(
        String engine,
        String work,
        String load,
        String unit,
        double value,
        @Nullable String shape,
        @Nullable String dtype,
        int batch) {
    static final String EMBED4J = "embed4j";
    static final String SENTENCE_TRANSFORMERS = "sentence-transformers";
    static final String DEVICE = "device";
    static final String TEXT_TO_HOST = "text to host";
    static final String IDS_TO_HOST = "ids to host";
    static final String IDS_TO_DEVICE = "ids to device";
    static final String TOP_K = "top-k";
    static final String ERROR = "error";
    static final String RAGGED = "ragged";
    static final String ONE_TEXT = "one text";
    static final String TOKENS_PER_SECOND = "tokens/s";
    static final String MICROSECONDS = "us";

    private static final Gson GSON = new Gson();

    /** Appends this figure to a file. */
    void append(Path file) throws IOException {
        Files.writeString(file, GSON.toJson(this) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** All figures of a file; the last line of a program that was stopped while it wrote is left out. */
    static List<Row> read(Path file) throws IOException {
        List<Row> rows = new ArrayList<>();
        for (String line : Files.exists(file) ? Files.readAllLines(file) : List.<String>of()) {
            try {
                rows.add(GSON.fromJson(line, Row.class));
            } catch (JsonSyntaxException e) {
                // cut off
            }
        }
        return rows;
    }
}
