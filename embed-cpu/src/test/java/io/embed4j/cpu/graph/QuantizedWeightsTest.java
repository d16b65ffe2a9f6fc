// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class QuantizedWeightsTest {
    @Test
    void weightsLieBehindEachOtherInAFileThatGoes() throws IOException {
        Path file;
        try (QuantizedWeights weights = QuantizedWeights.create(new Quantization(8, Map.of()))) {
            file = weights.file();
            assertThat(file).isEqualTo(file.toRealPath());
            assertThat(weights.append(new byte[] {1, -2, 3})).isZero();
            assertThat(weights.append(new byte[] {4})).isEqualTo(3);
            assertThat(file).hasBinaryContent(new byte[] {1, -2, 3, 4});
        }
        assertThat(Files.exists(file)).isFalse();
    }
}
