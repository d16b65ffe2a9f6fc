// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.Embedder;
import io.embed4j.ModelFormatException;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model whose weights are not numbers gives an error, never a vector. */
class NanWeightsTest {

    @Test
    void nanIsToldNotReturned(@TempDir Path directory) throws IOException {
        Path source = Path.of(Fixture.load("bert-h36-a3").model());
        try (Stream<Path> files = Files.walk(source)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = directory.resolve(source.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy);
            }
        }
        Path weights = directory.resolve("model.safetensors");
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(weights)).order(ByteOrder.LITTLE_ENDIAN);
        long headerBytes = bytes.getLong(0);
        for (int at = (int) (Long.BYTES + headerBytes); at < bytes.limit(); at += Float.BYTES) {
            bytes.putFloat(at, Float.NaN);
        }
        Files.write(weights, bytes.array());
        try (Embedder embedder =
                Embedder.builder().model(directory).device("cpu").build()) {
            assertThatThrownBy(() -> embedder.embed("a ferry"))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContainingAll("NaN", "weights");
        }
    }
}
