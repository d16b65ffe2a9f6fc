// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.SafetensorsFile;
import io.embed4j.spec.DType;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * An index on disk: {@code vectors.safetensors} with one tensor, {@code vectors} [N, D] fp32, the unit vectors in the
 * order of their ids. Python's safetensors reads it. It is written beside its place and moved there in one step.
 */
public final class IndexFile {
    private static final String FILE = "vectors.safetensors";
    private static final String TENSOR = "vectors";
    private static final int ROWS_AT_A_TIME = 1024;

    private final WeightTensor tensor;

    private IndexFile(WeightTensor tensor) {
        this.tensor = tensor;
    }

    /**
     * Finds a saved index.
     *
     * @param directory where it was saved
     * @throws ModelFormatException if there is none, or it is damaged
     */
    public static IndexFile open(Path directory) {
        Path file = directory.resolve(FILE);
        WeightTensor tensor = SafetensorsFile.read(file).get(TENSOR);
        if (tensor == null
                || tensor.type() != DType.FP32
                || tensor.shape().size() != 2
                || tensor.shape().get(1) < 1) {
            throw new ModelFormatException(
                    HelpTopic.INDEX_FILE,
                    file + " is no index: it must hold a tensor \"" + TENSOR + "\" [N, D] of F32"
                            + (tensor == null ? "." : ", found " + tensor.type() + tensor.shape() + "."));
        }
        return new IndexFile(tensor);
    }

    /** D. */
    public int dimension() {
        return tensor.shape().get(1);
    }

    /**
     * Adds all rows to a shard.
     *
     * @throws ModelFormatException if the file cannot be read
     */
    public void copyTo(IndexShard shard) {
        int rows = tensor.shape().get(0);
        long rowBytes = (long) dimension() * Float.BYTES;
        for (int row = 0; row < rows; row += ROWS_AT_A_TIME) {
            int count = Math.min(ROWS_AT_A_TIME, rows - row);
            FileRegion all = tensor.region();
            FileRegion part = new FileRegion(all.file(), all.offset() + row * rowBytes, count * rowBytes);
            float[] values = new float[Math.multiplyExact(count, dimension())];
            try {
                part.map().asFloatBuffer().get(values);
            } catch (IOException e) {
                throw new ModelFormatException(
                        HelpTopic.INDEX_FILE, all.file() + " cannot be read: " + e.getMessage(), e);
            }
            shard.add(FloatBuffer.wrap(values));
        }
    }

    static void write(Path directory, IndexShard shard, int dimension) {
        Path fresh = null;
        try {
            Files.createDirectories(directory);
            fresh = Files.createTempFile(directory, FILE, ".tmp");
            try (FileChannel channel = FileChannel.open(fresh, StandardOpenOption.WRITE)) {
                writeFully(channel, header(shard.rows(), dimension));
                for (int row = 0; row < shard.rows(); row += ROWS_AT_A_TIME) {
                    float[] values = shard.read(row, Math.min(ROWS_AT_A_TIME, shard.rows() - row));
                    ByteBuffer bytes =
                            ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                    bytes.asFloatBuffer().put(values);
                    writeFully(channel, bytes);
                }
                channel.force(true);
            }
            Files.move(fresh, directory.resolve(FILE), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new EmbedException(
                    HelpTopic.CANNOT_WRITE,
                    "The index could not be saved to " + directory + ": " + e
                            + ". Name a writable directory with room.",
                    e);
        } finally {
            deleteQuietly(fresh);
        }
    }

    private static ByteBuffer header(long rows, int dimension) {
        JsonArray shape = new JsonArray();
        shape.add(rows);
        shape.add(dimension);
        JsonArray offsets = new JsonArray();
        offsets.add(0);
        offsets.add(rows * dimension * Float.BYTES);
        JsonObject entry = new JsonObject();
        entry.addProperty("dtype", "F32");
        entry.add("shape", shape);
        entry.add("data_offsets", offsets);
        JsonObject json = new JsonObject();
        json.add(TENSOR, entry);
        String text = json.toString();
        // Spaces behind the JSON put the numbers at a multiple of 8.
        byte[] header = (text + " ".repeat((Long.BYTES - text.length() % Long.BYTES) % Long.BYTES))
                .getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(Long.BYTES + header.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length)
                .put(header)
                .flip();
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private static void deleteQuietly(@Nullable Path file) {
        try {
            if (file != null) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            // If it was not moved, the error that brought us here is the one to tell.
        }
    }
}
