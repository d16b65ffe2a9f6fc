// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.Hits;
import io.embed4j.ModelFormatException;
import io.embed4j.VectorIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A saved index is the same index. */
class IndexFileTest {
    private static final int DIMENSION = 37;

    private static float[][] vectors(int count, long seed) {
        Random random = new Random(seed);
        float[][] vectors = new float[count][DIMENSION];
        for (float[] vector : vectors) {
            for (int i = 0; i < DIMENSION; i++) {
                vector[i] = (float) random.nextGaussian();
            }
        }
        return vectors;
    }

    @Test
    void whatWasSavedIsFoundAgain(@TempDir Path directory) throws IOException {
        Path place = directory.resolve("new").resolve("index");
        float[][] queries = vectors(5, 2);
        try (VectorIndex index = VectorIndex.create(DIMENSION)) {
            index.add(vectors(2500, 1));
            index.save(place);
            index.add(vectors(10, 3));
            index.save(place);
            try (VectorIndex loaded = VectorIndex.load(place)) {
                assertThat(loaded.size()).isEqualTo(2510);
                assertThat(loaded.dimension()).isEqualTo(DIMENSION);
                Hits expected = index.search(queries, 20);
                Hits found = loaded.search(queries, 20);
                for (int query = 0; query < queries.length; query++) {
                    for (int rank = 0; rank < 20; rank++) {
                        assertThat(found.id(query, rank)).isEqualTo(expected.id(query, rank));
                        assertThat(found.score(query, rank)).isEqualTo(expected.score(query, rank));
                    }
                }
            }
        }
        try (Stream<Path> files = Files.list(place)) {
            assertThat(files.map(file -> String.valueOf(file.getFileName())))
                    .containsExactlyInAnyOrder(
                            "lock", "manifest.json", "segment-00000001.safetensors", "segment-00000002.safetensors");
        }
    }

    @Test
    void anEmptyIndexCanBeSaved(@TempDir Path directory) {
        try (VectorIndex index = VectorIndex.create(DIMENSION)) {
            index.save(directory);
        }
        try (VectorIndex loaded = VectorIndex.load(directory)) {
            assertThat(loaded.size()).isZero();
            assertThat(loaded.search(vectors(1, 1), 3).count(0)).isZero();
        }
    }

    @Test
    void whatIsNoIndexIsNamed(@TempDir Path directory) throws IOException {
        assertThatThrownBy(() -> VectorIndex.load(directory))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContainingAll("manifest.json", "missing");
        try (VectorIndex index = VectorIndex.create(DIMENSION)) {
            index.add(vectors(3, 1));
            index.save(directory);
        }
        Path file = directory.resolve("segment-00000001.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 1));
        assertThatThrownBy(() -> VectorIndex.load(directory))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("it was cut or replaced");
    }

    @Test
    void aPlaceThatCannotBeWrittenIsNamed(@TempDir Path directory) throws IOException {
        Path blocked = Files.writeString(directory.resolve("file"), "").resolve("index");
        try (VectorIndex index = VectorIndex.create(DIMENSION)) {
            assertThatThrownBy(() -> index.save(blocked))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageContainingAll(blocked.toString(), "writable");
        }
    }
}
