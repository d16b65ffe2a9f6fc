// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.embed4j.HelpTopic;
import io.embed4j.VectorIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * {@code model.json} beside an index: the model that made its vectors, so that texts are added and searched with the same.
 *
 * @param model as {@code --model} names it
 * @param dimension D
 */
record IndexModel(String model, int dimension) {
    private static final String FILE = "model.json";

    /**
     * Reads the file of an index.
     *
     * @throws CliException if it is not there, or no such file
     */
    static IndexModel read(Path index) {
        Path file = file(index);
        try {
            JsonElement json = JsonParser.parseString(Files.readString(file));
            if (json.isJsonObject()
                    && json.getAsJsonObject().get("model") instanceof JsonPrimitive model
                    && json.getAsJsonObject().get("dimension") instanceof JsonPrimitive dimension) {
                return new IndexModel(model.getAsString(), dimension.getAsInt());
            }
            throw damaged(file, null);
        } catch (NoSuchFileException e) {
            throw CliException.failed(
                    HelpTopic.INDEX_FILE,
                    "--index " + index + " is no index of texts: it has no " + FILE
                            + ". Build one: embed index build --input docs.jsonl --output " + index,
                    e);
        } catch (IOException | JsonParseException | NumberFormatException e) {
            throw damaged(file, e);
        }
    }

    /**
     * Refuses vectors of another length than the index holds.
     *
     * @param index the index
     * @param dimension D of the vectors that the options ask for
     */
    static void requireDimension(VectorIndex index, int dimension) {
        if (dimension != index.dimension()) {
            throw CliException.usage("The vectors would have " + dimension + " numbers; the index holds vectors of "
                    + index.dimension() + ". Set --dimension " + index.dimension() + ".");
        }
    }

    private static CliException damaged(Path file, @Nullable Exception cause) {
        return CliException.failed(
                HelpTopic.INDEX_FILE,
                file
                        + " names no model. Build the index again, or write {\"model\": \"...\", \"dimension\": 384} into it.",
                cause);
    }

    /** Where the file of an index is. */
    static Path file(Path index) {
        return index.resolve(FILE);
    }

    /** Writes the file, which appears when the caller commits it. */
    AtomicFile begin(Path index) throws IOException {
        JsonObject json = new JsonObject();
        json.addProperty("model", model);
        json.addProperty("dimension", dimension);
        return begin(index, Terminal.toJson(json).getBytes(StandardCharsets.UTF_8));
    }

    /** Writes the file as it was once. */
    static void write(Path index, byte[] content) throws IOException {
        try (AtomicFile file = begin(index, content)) {
            file.commit();
        }
    }

    private static AtomicFile begin(Path index, byte[] content) throws IOException {
        AtomicFile file = AtomicFile.create(file(index));
        try {
            ByteBuffer bytes = ByteBuffer.wrap(content);
            while (bytes.hasRemaining()) {
                file.channel().write(bytes);
            }
            return file;
        } catch (IOException e) {
            file.close();
            throw e;
        }
    }
}
