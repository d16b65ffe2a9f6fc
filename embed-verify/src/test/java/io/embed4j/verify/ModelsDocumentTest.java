// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** docs/models.md tells what the code does: its families, its fixtures, and how far their vectors are off. */
class ModelsDocumentTest {
    private static final Pattern CODE = Pattern.compile("`([^`]+)`");

    /** Kinds of processors round in different order, so a share is the same only in size. */
    private static final double SAME_SIZE = 2.5;

    /**
     * A line of the table of families.
     *
     * @param share error in hundredths of the bar
     */
    private record Row(List<String> modelTypes, List<String> fixtures, int share) {}

    @Test
    void theFamiliesAreThoseOfTheCode(@TempDir Path model) throws IOException {
        Files.writeString(model.resolve("config.json"), "{\"model_type\": \"none\"}");
        UnsupportedModelException refusal = catchThrowableOfType(
                UnsupportedModelException.class,
                () -> Embedder.builder().model(model).fit());
        String known = String.valueOf(refusal.getMessage()).replaceFirst(".*Known are: ", "");
        assertThat(rows().stream().flatMap(row -> row.modelTypes().stream()))
                .containsExactlyInAnyOrder(
                        known.substring(0, known.length() - 1).split(", "));
    }

    @Test
    void everyFixtureIsNamed() throws IOException {
        assertThat(rows().stream().flatMap(row -> row.fixtures().stream()))
                .containsExactlyInAnyOrderElementsOf(
                        Fixture.all().map(Fixture::name).toList());
    }

    @Test
    void errorsAreAsLargeAsItSays() throws IOException {
        for (Row row : rows()) {
            double share = 0;
            for (String name : row.fixtures()) {
                share = Math.max(share, share(Fixture.load(name)));
            }
            System.out.printf("%s: %.0f %% of the bar, documented %d %%%n", row.modelTypes(), share, row.share());
            assertThat(share)
                    .as("%s, documented %s %%", row.modelTypes(), row.share())
                    .isBetween(row.share() / SAME_SIZE, Math.min(100, row.share() * SAME_SIZE));
        }
    }

    private static double share(Fixture fixture) {
        try (Embedder embedder =
                Embedder.builder().model(fixture.model()).device("cpu").build()) {
            Embeddings vectors = embedder.embed(fixture.texts());
            double worst = 0;
            for (int row = 0; row < vectors.size(); row++) {
                worst = Math.max(worst, Bar.unitError(vectors.vector(row), fixture.vectors()[row]));
            }
            return 100 * worst / Bar.of(fixture, Precision.FP32).limit();
        }
    }

    private static List<Row> rows() throws IOException {
        List<Row> rows = new ArrayList<>();
        try (Stream<String> lines = Files.lines(Checkout.root().resolve("docs/models.md"))) {
            lines.map(line -> line.split(" *\\| *", -1))
                    .filter(cells -> cells.length == 7 && cells[5].matches("\\d+ %"))
                    .forEach(cells -> rows.add(
                            new Row(codes(cells[2]), codes(cells[4]), Integer.parseInt(cells[5].replace(" %", "")))));
        }
        assertThat(rows).isNotEmpty();
        return rows;
    }

    private static List<String> codes(String cell) {
        return CODE.matcher(cell)
                .results()
                .map((MatchResult match) -> match.group(1))
                .toList();
    }
}
