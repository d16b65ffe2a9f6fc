// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.ModelFormatException;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SavedIndexTest {
    @TempDir
    private Path folder;

    private static PlainIndexShard shard(int dimension) {
        return new PlainIndexShard(IndexSpec.exact(dimension));
    }

    private static PlainIndexShard random(int rows, int dimension) {
        Random random = new Random(rows);
        float[] values = new float[rows * dimension];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        PlainIndexShard shard = shard(dimension);
        shard.add(FloatBuffer.wrap(values));
        return shard;
    }

    private static float[] all(IndexShard shard) {
        return shard.read(0, shard.rows());
    }

    /** Files are written and read in pieces of 1024 rows. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 31, 1023, 1024, 1025, 4098})
    void whatIsSavedComesBackBitForBit(int rows) {
        try (PlainIndexShard saved = random(rows, 7);
                PlainIndexShard loaded = shard(7)) {
            IndexFile.write(folder.resolve("a/b"), saved, 7);
            IndexFile file = IndexFile.open(folder.resolve("a/b"));
            assertThat(file.dimension()).isEqualTo(7);
            file.copyTo(loaded);
            assertThat(loaded.rows()).isEqualTo(rows);
            assertThat(all(loaded)).isEqualTo(all(saved));
        }
    }

    @Test
    void savingAgainReplacesTheFileAndLeavesNothingElse() throws IOException {
        try (PlainIndexShard first = random(5, 2);
                PlainIndexShard second = random(6, 2);
                PlainIndexShard loaded = shard(2)) {
            IndexFile.write(folder, first, 2);
            IndexFile.write(folder, second, 2);
            IndexFile.open(folder).copyTo(loaded);
            assertThat(all(loaded)).isEqualTo(all(second));
        }
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(folder.resolve("vectors.safetensors"));
        }
    }

    @Test
    void aPlaceThatCannotBeWrittenIsNamed() throws IOException {
        Path place = Files.createFile(folder.resolve("file")).resolve("below");
        try (PlainIndexShard shard = random(1, 2)) {
            assertThatThrownBy(() -> IndexFile.write(place, shard, 2))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageStartingWith("The index could not be saved to " + place + ": ")
                    .hasMessageEndingWith(". Name a writable directory with room.");
        }
    }

    @Test
    void whatCannotBeFinishedIsNotLeftBehind() throws IOException {
        IndexShard failing = new PlainIndexShard(IndexSpec.exact(2)) {
            @Override
            public synchronized float[] read(int firstRow, int rows) {
                if (firstRow > 0) {
                    throw new EmbedException("the device is gone");
                }
                return super.read(firstRow, rows);
            }
        };
        failing.add(FloatBuffer.allocate(6000));
        assertThatThrownBy(() -> IndexFile.write(folder, failing, 2)).isInstanceOf(EmbedException.class);
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void aDirectoryWithoutAnIndexIsNamed() {
        assertThatThrownBy(() -> IndexFile.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(folder.resolve("vectors.safetensors") + " is missing.");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"other\": {\"dtype\": \"F32\", \"shape\": [1, 2], \"data_offsets\": [0, 8]}} | of F32.",
                "{\"vectors\": {\"dtype\": \"F64\", \"shape\": [1, 1], \"data_offsets\": [0, 8]}} | found FP64[1, 1].",
                "{\"vectors\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}} | found FP32[2].",
                "{\"vectors\": {\"dtype\": \"F32\", \"shape\": [5, 0], \"data_offsets\": [0, 0]}} | found FP32[5, 0].",
            })
    void anotherFileIsNoIndex(String header, String saying) throws IOException {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        byte[] bytes = new byte[Long.BYTES + text.length + 8];
        ByteBuffer.wrap(bytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(text.length)
                .put(text);
        Files.write(folder.resolve("vectors.safetensors"), bytes);
        assertThatThrownBy(() -> IndexFile.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("vectors.safetensors")
                        + " is no index: it must hold a tensor \"vectors\" [N, D] of F32")
                .hasMessageEndingWith(saying);
    }

    @Test
    void aFileThatWasCutMeanwhileIsNamed() throws IOException {
        try (PlainIndexShard saved = random(3, 2);
                PlainIndexShard loaded = shard(2)) {
            IndexFile.write(folder, saved, 2);
            IndexFile file = IndexFile.open(folder);
            Path path = folder.resolve("vectors.safetensors");
            byte[] bytes = Files.readAllBytes(path);
            Files.write(path, Arrays.copyOf(bytes, bytes.length - 1));
            assertThatThrownBy(() -> file.copyTo(loaded))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("The file was cut after it was opened.");
        }
    }
}
