// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.Embeddings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VectorWriterTest {
    private static final Pattern NPY_HEADER =
            Pattern.compile("\\{'descr': '<f4', 'fortran_order': False, 'shape': \\((\\d+), (\\d+)\\), \\} *\n");

    @TempDir
    private Path directory;

    /** Chunks of 0, 1, 31 and so on rows; 127 x 1031 floats overflow the staging buffer. */
    @ParameterizedTest
    @CsvSource({"1, 0", "1, 1", "384, 33", "1031, 127", "2048, 5"})
    void npyReadsBack(int dimension, int maxRows) throws IOException {
        List<Embeddings> chunks = chunks(dimension, maxRows);
        ByteBuffer file = writeAll(OutputFormat.NPY, dimension, chunks);

        assertThat(file.get() & 0xFF).isEqualTo(0x93);
        assertThat(text(file, 5)).isEqualTo("NUMPY");
        assertThat(file.get()).isEqualTo((byte) 1);
        assertThat(file.get()).isEqualTo((byte) 0);
        Matcher header = NPY_HEADER.matcher(text(file, file.getShort()));
        assertThat(header.matches()).isTrue();
        assertThat(file.position() % 64).isZero();
        assertThat(Integer.parseInt(header.group(1))).isEqualTo(rows(chunks));
        assertThat(Integer.parseInt(header.group(2))).isEqualTo(dimension);
        assertRows(file, chunks);
    }

    @ParameterizedTest
    @CsvSource({"1, 0", "1, 1", "384, 33", "1031, 127", "2048, 5"})
    void safetensorsReadsBack(int dimension, int maxRows) throws IOException {
        List<Embeddings> chunks = chunks(dimension, maxRows);
        ByteBuffer file = writeAll(OutputFormat.SAFETENSORS, dimension, chunks);

        String json = text(file, Math.toIntExact(file.getLong()));
        assertThat(file.position() % 8).isZero();
        JsonObject header = JsonParser.parseString(json).getAsJsonObject();
        assertThat(header.keySet()).containsExactly("embeddings");
        JsonObject tensor = header.getAsJsonObject("embeddings");
        assertThat(tensor.get("dtype").getAsString()).isEqualTo("F32");
        assertThat(longs(tensor.getAsJsonArray("shape"))).containsExactly((long) rows(chunks), (long) dimension);
        assertThat(longs(tensor.getAsJsonArray("data_offsets"))).containsExactly(0L, (long) file.remaining());
        assertRows(file, chunks);
    }

    @Test
    void jsonlReadsBack() throws IOException {
        List<Embeddings> chunks = chunks(384, 33);
        ByteBuffer file = writeAll(OutputFormat.JSONL, 384, chunks);
        List<String> lines = text(file, file.remaining()).lines().toList();

        int index = 0;
        for (Embeddings chunk : chunks) {
            for (int row = 0; row < chunk.size(); row++) {
                JsonObject line = JsonParser.parseString(lines.get(index)).getAsJsonObject();
                assertThat(line.keySet()).containsExactly("index", "tokens", "truncated", "embedding");
                assertThat(line.get("index").getAsInt()).isEqualTo(index);
                assertThat(line.get("tokens").getAsInt()).isEqualTo(chunk.tokenCount(row));
                assertThat(line.get("truncated").getAsBoolean()).isEqualTo(chunk.truncated(row));
                assertThat(floats(line.getAsJsonArray("embedding"))).isEqualTo(chunk.vector(row));
                index++;
            }
        }
        assertThat(lines).hasSize(index);
    }

    @Test
    void jsonRefusesWhatItCannotHold() {
        JsonlWriter writer = new JsonlWriter(new ByteArrayOutputStream());
        Embeddings broken = Embeddings.of(2, new float[] {1, Float.NaN}, new int[] {3}, new boolean[] {false});

        assertThatThrownBy(() -> writer.write(broken))
                .isInstanceOf(IOException.class)
                .hasMessage("number 1 of a vector is NaN, which JSON cannot hold");
    }

    @Test
    void headersHoldTheLargestNumbers() throws IOException {
        // Rows are only counted here: 4 billion of them would not fit the disk.
        long rows = Long.MAX_VALUE / Integer.MAX_VALUE / Float.BYTES;
        assertThat(NpyWriter.header(rows, Integer.MAX_VALUE)).hasSize(128);
        assertThat(new String(SafetensorsWriter.header(rows, Integer.MAX_VALUE), StandardCharsets.US_ASCII))
                .hasSize(192)
                .contains("[0," + rows * Integer.MAX_VALUE * Float.BYTES + "]");
    }

    private ByteBuffer writeAll(OutputFormat format, int dimension, List<Embeddings> chunks) throws IOException {
        Path file = directory.resolve("vectors");
        try (AtomicFile output = AtomicFile.create(file)) {
            VectorWriter writer = format.writer(output.channel(), dimension);
            for (Embeddings chunk : chunks) {
                writer.write(chunk);
            }
            writer.finish();
            output.commit();
        }
        return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static List<Embeddings> chunks(int dimension, int maxRows) {
        Random random = new Random(31 * dimension + maxRows);
        List<Embeddings> chunks = new ArrayList<>();
        for (int rows : new int[] {maxRows, 0, Math.min(1, maxRows), maxRows / 2}) {
            float[] values = new float[rows * dimension];
            int[] tokenCounts = new int[rows];
            boolean[] truncated = new boolean[rows];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            for (int i = 0; i < rows; i++) {
                tokenCounts[i] = random.nextInt(1000);
                truncated[i] = random.nextBoolean();
            }
            chunks.add(Embeddings.of(dimension, values, tokenCounts, truncated));
        }
        return chunks;
    }

    private static int rows(List<Embeddings> chunks) {
        return chunks.stream().mapToInt(Embeddings::size).sum();
    }

    private static void assertRows(ByteBuffer file, List<Embeddings> chunks) {
        for (Embeddings chunk : chunks) {
            float[] read = new float[chunk.size() * chunk.dimension()];
            float[] written = new float[read.length];
            file.asFloatBuffer().get(read);
            chunk.values().get(written);
            assertThat(read).isEqualTo(written);
            file.position(file.position() + read.length * Float.BYTES);
        }
        assertThat(file.hasRemaining()).isFalse();
    }

    private static String text(ByteBuffer file, int length) {
        byte[] bytes = new byte[length];
        file.get(bytes);
        return new String(bytes, StandardCharsets.US_ASCII);
    }

    private static List<Long> longs(JsonArray numbers) {
        List<Long> longs = new ArrayList<>();
        numbers.forEach(number -> longs.add(number.getAsLong()));
        return longs;
    }

    private static float[] floats(JsonArray numbers) {
        float[] floats = new float[numbers.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = numbers.get(i).getAsFloat();
        }
        return floats;
    }
}
