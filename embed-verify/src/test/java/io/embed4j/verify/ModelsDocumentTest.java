// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.embed4j.Embedder;
import io.embed4j.UnsupportedModelException;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * docs/models.md tells what the code does: its families, its fixtures, and how far their vectors are off on each device in
 * each precision. Its tables are generated from what the contract tests measured; {@code ./docs/write-models} writes them.
 */
class ModelsDocumentTest {
    private static final Path DOCUMENT = Checkout.root().resolve("docs/models.md");

    /** Kinds of processors round in different order, so an error is the same only in size. */
    private static final double SAME_SIZE = 2.5;

    @Test
    void theFamiliesAreThoseOfTheCode(@TempDir Path model) throws IOException {
        Files.writeString(model.resolve("config.json"), "{\"model_type\": \"none\"}");
        UnsupportedModelException refusal = catchThrowableOfType(
                UnsupportedModelException.class,
                () -> Embedder.builder().model(model).fit());
        String known = String.valueOf(refusal.getMessage()).replaceFirst(".*Known are: ", "");
        assertThat(ModelsTable.FAMILIES.stream().flatMap(family -> family.modelTypes().stream()))
                .containsExactlyInAnyOrder(
                        known.substring(0, known.length() - 1).split(", "));
    }

    @Test
    void everyFamilyHasAFixture() {
        assertThat(Fixture.all().map(Fixture::modelType).distinct())
                .containsExactlyInAnyOrderElementsOf(ModelsTable.FAMILIES.stream()
                        .flatMap(family -> family.modelTypes().stream())
                        .toList());
    }

    @Test
    void theTablesAreWhatTheContractsMeasured() throws IOException {
        String measured = ModelsTable.render(ModelsTable.measured());
        String document = Files.readString(DOCUMENT);
        if (Boolean.getBoolean("embed4j.writeModels")) {
            Files.writeString(DOCUMENT, before(document) + measured + behind(document));
            return;
        }
        String written = document.substring(
                before(document).length(), document.length() - behind(document).length());
        assertThat(ModelsTable.withoutNumbers(written))
                .as("docs/models.md; ./docs/write-models writes it")
                .isEqualTo(ModelsTable.withoutNumbers(measured));
        List<Double> documented = ModelsTable.numbers(written);
        List<Double> found = ModelsTable.numbers(measured);
        for (int i = 0; i < found.size(); i++) {
            assertThat(found.get(i))
                    .as("number %s of the tables, documented %s", i, documented.get(i))
                    .isBetween(documented.get(i) / SAME_SIZE - 1e-4, documented.get(i) * SAME_SIZE + 1e-4);
        }
    }

    private static String before(String document) {
        return document.substring(0, document.indexOf(ModelsTable.BEGIN));
    }

    private static String behind(String document) {
        return document.substring(document.indexOf(ModelsTable.END) + ModelsTable.END.length());
    }
}
