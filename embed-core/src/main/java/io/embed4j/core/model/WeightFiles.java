// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.ModelFormatException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.core.file.OnnxFile;
import io.embed4j.core.file.SafetensorsFile;
import io.embed4j.spi.WeightTensor;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The tensors of a directory, from the first of its weight files that is there.
 *
 * @param source the file, for messages
 * @param tensors by name
 */
record WeightFiles(Path source, Map<String, WeightTensor> tensors) {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final List<String> ONNX = List.of("model.onnx", "onnx/model.onnx");

    /** The files of a module that has no weights. */
    static WeightFiles none(Path directory) {
        return new WeightFiles(directory, Map.of());
    }

    /** Whether a directory has its weights: an index without all of its shards is only configuration. */
    static boolean isIn(Path directory) {
        Path index = directory.resolve(INDEX);
        return Stream.concat(Stream.of(SINGLE), ONNX.stream()).anyMatch(name -> Files.exists(directory.resolve(name)))
                || (Files.exists(index)
                        && shardByTensor(index).values().stream().allMatch(name -> Files.exists(shard(index, name))));
    }

    /**
     * Finds and lists the weights of a directory.
     *
     * @throws ModelFormatException if there are none, or they are damaged
     */
    static WeightFiles read(Path directory) {
        Path single = directory.resolve(SINGLE);
        if (Files.exists(single)) {
            return new WeightFiles(single, SafetensorsFile.read(single));
        }
        Path index = directory.resolve(INDEX);
        if (Files.exists(index)) {
            return new WeightFiles(index, readShards(index));
        }
        for (String name : ONNX) {
            Path onnx = directory.resolve(name);
            if (Files.exists(onnx)) {
                return new WeightFiles(onnx, OnnxFile.read(onnx));
            }
        }
        throw new ModelFormatException(directory + " has no " + SINGLE + ", " + INDEX + ", " + String.join(" or ", ONNX)
                + "."
                + (Files.exists(directory.resolve("pytorch_model.bin"))
                        ? " pytorch_model.bin is a pickle and is not read: save the model again as safetensors."
                        : ""));
    }

    /** The index names the shard of every tensor. */
    private static Map<String, WeightTensor> readShards(Path index) {
        Map<String, Map<String, WeightTensor>> shards = new HashMap<>();
        Map<String, WeightTensor> tensors = new LinkedHashMap<>();
        shardByTensor(index).forEach((tensor, shard) -> {
            WeightTensor found = shards.computeIfAbsent(shard, name -> SafetensorsFile.read(shard(index, name)))
                    .get(tensor);
            if (found == null) {
                throw new ModelFormatException(
                        index + " says that " + tensor + " is in " + shard + ", but it is not there.");
            }
            tensors.put(tensor, found);
        });
        return tensors;
    }

    private static Map<String, String> shardByTensor(Path index) {
        return JsonConfig.read(index)
                .optionalObject("weight_map")
                .orElseThrow(() -> new ModelFormatException(index + " has no \"weight_map\"."))
                .stringMap();
    }

    private static Path shard(Path index, String name) {
        Path directory = index.toAbsolutePath().normalize().getParent();
        try {
            Path file = Objects.requireNonNull(directory).resolve(name).normalize();
            if (directory.equals(file.getParent())) {
                return file;
            }
        } catch (InvalidPathException e) {
            // Not a file of any directory.
        }
        throw new ModelFormatException(index + ": the shard \"" + name + "\" is not a file of the model's directory.");
    }
}
