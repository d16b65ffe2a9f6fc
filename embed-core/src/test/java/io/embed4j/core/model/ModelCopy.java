// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** A copy of a fixture's model in which a test may break things. */
record ModelCopy(Path directory) {

    static ModelCopy of(String fixture, Path target) {
        Path source = Path.of(Fixture.load(fixture).model());
        try (Stream<Path> files = Files.walk(source)) {
            for (Path file : files.toList()) {
                Path copy = target.resolve(source.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(copy);
                } else {
                    Files.copy(file, copy);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new ModelCopy(target);
    }

    ModelDefinition load() {
        return ModelLoader.load(directory.toString());
    }

    Path file(String name) {
        return directory.resolve(name);
    }

    ModelCopy delete(String name) {
        try {
            Files.delete(file(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    ModelCopy write(String name, String text) {
        try {
            Path file = file(name);
            Files.createDirectories(Objects.requireNonNull(file.getParent()));
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    String read(String name) {
        try {
            return Files.readString(file(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Sets one key of a JSON object; the value is JSON too. */
    ModelCopy set(String name, String key, String value) {
        JsonObject json = JsonParser.parseString(read(name)).getAsJsonObject();
        json.add(key, JsonParser.parseString(value));
        return write(name, json.toString());
    }

    ModelCopy remove(String name, String key) {
        JsonObject json = JsonParser.parseString(read(name)).getAsJsonObject();
        json.remove(key);
        return write(name, json.toString());
    }

    /** Sets one key of one entry of modules.json. */
    ModelCopy setModule(int place, String key, String value) {
        JsonArray modules = JsonParser.parseString(read("modules.json")).getAsJsonArray();
        modules.get(place).getAsJsonObject().addProperty(key, value);
        return write("modules.json", modules.toString());
    }

    /** Changes the header of model.safetensors; the bytes of the tensors stay where they are. */
    ModelCopy editTensors(Consumer<JsonObject> edit) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file("model.safetensors")))
                    .order(ByteOrder.LITTLE_ENDIAN);
            byte[] header = new byte[(int) bytes.getLong()];
            bytes.get(header);
            JsonObject json = JsonParser.parseString(new String(header, StandardCharsets.UTF_8))
                    .getAsJsonObject();
            edit.accept(json);
            byte[] changed = json.toString().getBytes(StandardCharsets.UTF_8);
            ByteBuffer all = ByteBuffer.allocate(Long.BYTES + changed.length + bytes.remaining())
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(changed.length)
                    .put(changed)
                    .put(bytes);
            Files.write(file("model.safetensors"), all.array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    ModelCopy editTensor(String tensor, String key, JsonElement value) {
        return editTensors(header -> header.getAsJsonObject(tensor).add(key, value));
    }

    /** Moves all weights into shards: every tensor into the one whose place its name's hash gives. */
    List<String> shard(int count) {
        List<String> names = Stream.iterate(1, i -> i + 1)
                .limit(count)
                .map(i -> "model-%05d-of-%05d.safetensors".formatted(i, count))
                .toList();
        try {
            JsonObject map = new JsonObject();
            for (int i = 0; i < count; i++) {
                int shard = i;
                Path whole = Files.copy(file("model.safetensors"), file("whole"));
                editTensors(header -> {
                    for (String tensor : List.copyOf(header.keySet())) {
                        if (!tensor.equals("__metadata__")) {
                            if (Math.floorMod(tensor.hashCode(), count) == shard) {
                                map.addProperty(tensor, names.get(shard));
                            } else {
                                header.remove(tensor);
                            }
                        }
                    }
                });
                Files.move(file("model.safetensors"), file(names.get(shard)));
                Files.move(whole, file("model.safetensors"));
            }
            Files.delete(file("model.safetensors"));
            JsonObject index = new JsonObject();
            index.add("weight_map", map);
            write("model.safetensors.index.json", index.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return names;
    }
}
