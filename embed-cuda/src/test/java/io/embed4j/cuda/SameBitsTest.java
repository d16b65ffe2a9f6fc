// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Precision;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.testkit.Fixture;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** On the emulated device a text has one vector, to the bit: whatever the batch, however its work is queued or scheduled. */
@RequiresDevice
class SameBitsTest {
    private static final int TEXTS = 14;
    private final EmulatedDevice device = new EmulatedDevice();

    @AfterEach
    void restore() {
        System.clearProperty(LaunchGraphs.PROPERTY);
        device.close();
    }

    private static Embedder open(String fixture, Precision precision) {
        return Embedder.builder()
                .model(Fixture.load(fixture).model())
                .device("cuda:0")
                .precision(precision)
                .build();
    }

    /** The fixture's texts, one after the other and together, each several times so that graphs are recorded. */
    private static List<float[]> vectors(Embedder embedder, List<String> texts) {
        EmbedOptions lastToken = EmbedOptions.defaults().withPooling(PoolingSpec.of(PoolingMode.LAST_TOKEN));
        List<float[]> vectors = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            for (int from = 0; from < TEXTS; from += 7) {
                List<String> some = texts.subList(from, from + 7);
                vectors.addAll(List.of(embedder.embed(some).toArray()));
                vectors.addAll(List.of(embedder.embed(some, lastToken).toArray()));
            }
        }
        return vectors;
    }

    @ParameterizedTest
    @EnumSource(
            value = Precision.class,
            names = {"FP32", "FP16", "BF16"})
    void graphsAndSchedulingChangeNothing(Precision precision) {
        graphsAndSchedulingChangeNothing(precision, 2);
    }

    @Tag("full")
    @ParameterizedTest
    @EnumSource(
            value = Precision.class,
            names = {"FP32", "FP16", "BF16"})
    void tenSchedulesChangeNothing(Precision precision) {
        graphsAndSchedulingChangeNothing(precision, 10);
    }

    private void graphsAndSchedulingChangeNothing(Precision precision, int seeds) {
        long faults = device.faults();
        for (String name : List.of("bert-h36-a3", "mpnet-h36-a3")) {
            List<String> texts = Fixture.load(name).texts();
            List<float[]> expected;
            System.setProperty(LaunchGraphs.PROPERTY, "off");
            try (Embedder embedder = open(name, precision)) {
                expected = vectors(embedder, texts);
                for (int row = 0; row < 7; row++) {
                    assertThat(embedder.embed(texts.get(row)).vector(0)).isEqualTo(expected.get(row));
                }
            }
            System.clearProperty(LaunchGraphs.PROPERTY);
            try (Embedder embedder = open(name, precision)) {
                for (int seed = 0; seed <= seeds; seed++) {
                    device.schedulerSeed(seed);
                    List<float[]> found = vectors(embedder, texts);
                    for (int i = 0; i < expected.size(); i++) {
                        assertThat(found.get(i))
                                .as("%s seed %s vector %s", name, seed, i)
                                .isEqualTo(expected.get(i));
                    }
                }
            }
        }
        assertThat(device.faults()).isEqualTo(faults);
    }
}
