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
        Path file = index.resolve(FILE);
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

    /** Writes the file; it appears whole or not at all. */
    void write(Path index) {
        JsonObject json = new JsonObject();
        json.addProperty("model", model);
        json.addProperty("dimension", dimension);
        try {
            Files.createDirectories(index);
            try (AtomicFile file = AtomicFile.create(index.resolve(FILE))) {
                ByteBuffer bytes = ByteBuffer.wrap(Terminal.toJson(json).getBytes(StandardCharsets.UTF_8));
                while (bytes.hasRemaining()) {
                    file.channel().write(bytes);
                }
                file.commit();
            }
        } catch (IOException e) {
            throw CliException.failed(
                    HelpTopic.CANNOT_WRITE, "Cannot write to --output " + index + ": " + Reason.of(e), e);
        }
    }
}
