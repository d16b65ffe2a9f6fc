// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A model of real width and depth per family, which are too large to commit. {@code embed-testkit/fixtures/full_depth.py}
 * makes them; {@code ./mvnw test -pl embed-cpu -am -Dtest=FullDepthTest -Dembed4j.fullDepth=DIR} prints the rows of
 * docs/numerics.md.
 */
@EnabledIfSystemProperty(
        named = FullDepthTest.FOLDER,
        matches = ".+",
        disabledReason = "needs models of 2.6 GB, made by embed-testkit/fixtures/full_depth.py")
class FullDepthTest {
    static final String FOLDER = "embed4j.fullDepth";

    static Stream<Fixture> models() throws IOException {
        try (Stream<Path> folders = Files.list(Path.of(System.getProperty(FOLDER)))) {
            return folders.sorted().map(Fixture::at).toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void fp32StaysWithinTheBar(Fixture fixture) {
        Bar.Worst worst = new Bar.Worst();
        try (Embedder embedder = open(fixture, Precision.FP32)) {
            Embeddings vectors = embedder.embed(fixture.texts());
            for (int row = 0; row < vectors.size(); row++) {
                worst.add(Bar.unitError(vectors.vector(row), fixture.vectors()[row]), "text " + row);
            }
        }
        worst.mustPass("full depth " + fixture + " fp32", Bar.of(fixture, Precision.FP32));
    }

    /** Only measured: random weights are harder than trained ones, and the bar for int8 is the default model's. */
    @ParameterizedTest
    @MethodSource("models")
    void int8IsMeasured(Fixture fixture) {
        double worst = 1;
        double sum = 0;
        double meanCosine = 0;
        try (Embedder embedder = open(fixture, Precision.INT8)) {
            Embeddings vectors = embedder.embed(fixture.texts());
            for (int row = 0; row < vectors.size(); row++) {
                double error = Bar.unitError(vectors.vector(row), fixture.vectors()[row]);
                double cosine = 1 - error * error / 2; // of unit vectors
                worst = Math.min(worst, cosine);
                sum += cosine;
            }
            meanCosine = sum / vectors.size();
        }
        System.out.printf(
                Locale.ROOT,
                "full depth %s int8, %d-bit weights: min cosine %.4f, mean %.4f%n",
                fixture,
                InstructionSet.int8WeightBits(),
                worst,
                meanCosine);
        assertThat(worst).isGreaterThan(0.5);
    }

    private static Embedder open(Fixture fixture, Precision precision) {
        return Embedder.builder()
                .model(fixture.model())
                .device("cpu")
                .precision(precision)
                .build();
    }
}
