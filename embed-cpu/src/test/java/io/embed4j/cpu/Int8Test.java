// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import io.embed4j.testkit.Fixture;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** 8-bit integers on the CPU: near the reference, and bit for bit independent of batch-mates. */
class Int8Test {
    private static final String BITS_PROPERTY = "embed4j.int8.weightBits";
    private static final double MIN_COSINE = 0.99;

    @AfterEach
    void forgetBits() {
        System.clearProperty(BITS_PROPERTY);
    }

    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    private static Embedder open(Fixture fixture) {
        Embedder embedder = Embedder.builder()
                .model(fixture.model())
                .device("cpu")
                .precision(Precision.INT8)
                .build();
        assertThat(embedder.precision()).isEqualTo(Precision.INT8);
        return embedder;
    }

    @Test
    void theDefaultModelStaysNearTheReference() {
        requireNearTheReference("bits of this processor");
    }

    /** What processors without VNNI get: right everywhere, a little less exact. */
    @Test
    void theDefaultModelStaysNearTheReferenceWithSevenBits() {
        System.setProperty(BITS_PROPERTY, "7");
        requireNearTheReference("7 bits");
    }

    private static void requireNearTheReference(String bits) {
        Fixture fixture = Fixture.load(Fixture.EMBEDDED_DEFAULT);
        try (Embedder embedder = open(fixture)) {
            Embeddings vectors = embedder.embed(fixture.texts());
            double worst = 1;
            int where = 0;
            for (int row = 0; row < vectors.size(); row++) {
                double cosine = dot(vectors.vector(row), fixture.vectors()[row]);
                if (cosine < worst) {
                    worst = cosine;
                    where = row;
                }
            }
            System.out.printf(
                    Locale.ROOT,
                    "int8, %s (this processor has %d): min cosine %.5f at text %d%n",
                    bits,
                    InstructionSet.int8WeightBits(),
                    worst,
                    where);
            assertThat(worst).isBetween(MIN_COSINE, 1 - 1e-6);
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void batchMatesChangeNotOneBit(Fixture fixture) {
        try (Embedder embedder = open(fixture)) {
            Embeddings together = embedder.embed(fixture.texts());
            for (int row = 0; row < together.size(); row++) {
                assertThat(embedder.embed(fixture.texts().get(row)).vector(0)).isEqualTo(together.vector(row));
            }
            List<Integer> order =
                    new ArrayList<>(IntStream.range(0, together.size()).boxed().toList());
            Collections.shuffle(order, new Random(1));
            Embeddings shuffled =
                    embedder.embed(order.stream().map(fixture.texts()::get).toList());
            for (int i = 0; i < order.size(); i++) {
                assertThat(shuffled.vector(i)).isEqualTo(together.vector(order.get(i)));
            }
            // Texts of equal length go through attention in one group.
            Embeddings twice = embedder.embed(order.stream()
                    .flatMap(row -> Stream.of(row, row))
                    .map(fixture.texts()::get)
                    .toList());
            for (int i = 0; i < twice.size(); i++) {
                assertThat(twice.vector(i)).isEqualTo(together.vector(order.get(i / 2)));
            }
        }
    }

    private static double dot(float[] ours, double[] reference) {
        return IntStream.range(0, ours.length)
                .mapToDouble(i -> ours[i] * reference[i])
                .sum();
    }
}
