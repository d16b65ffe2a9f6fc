// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.testkit.Fixture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How many kernels a batch launches: docs/performance.md predicts from it. */
@RequiresDevice
class LaunchCountTest {
    private static final int PRODUCTS_PER_LAYER = 4;
    private final EmulatedDevice device = new EmulatedDevice();

    @AfterEach
    void restore() {
        System.clearProperty(LaunchGraphs.PROPERTY);
        device.close();
    }

    /** Attention, two norms and the activation; with rotation one pass over queries and keys, and no other for biases. */
    @ParameterizedTest
    @CsvSource({
        "bert-h36-a3, 4",
        "roberta-h36-a3, 4",
        "xlm-roberta-h48-a2, 4",
        "mpnet-h36-a3, 4",
        "nomic-bert-h36-a3, 5",
        "gte-h36-a3, 5"
    })
    void kernelsOfALayer(String fixture, int kernels) {
        EncoderSpec spec = ModelLoader.outline(Fixture.load(fixture).model()).spec();
        int layers = spec.layers().size();
        System.setProperty(LaunchGraphs.PROPERTY, "off");
        try (Embedder embedder = Embedder.builder()
                .model(Fixture.load(fixture).model())
                .device("cuda:0")
                .build()) {
            EmbedOptions mean = EmbedOptions.defaults().withPooling(PoolingSpec.of(PoolingMode.MEAN));
            long before = device.launches();
            embedder.embed("a ferry", mean);
            assertThat(device.launches() - before).isEqualTo(2 + (long) kernels * layers);
            assertThat(EncoderProgram.launches(spec)).isEqualTo(2 + (long) (kernels + PRODUCTS_PER_LAYER) * layers);
        }
    }
}
