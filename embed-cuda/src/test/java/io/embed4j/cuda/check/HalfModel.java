// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.core.file.OnnxFile;
import io.embed4j.core.math.WeightReader;
import io.embed4j.core.model.EmbeddedModel;
import io.embed4j.cuda.HalfFloats;
import io.embed4j.spi.WeightTensor;
import io.embed4j.testkit.Fixture;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * Writes the embedded default once more with its weights in fp16, half as large, as a folder for the class path: a
 * descriptor of the same name, model.safetensors and tokenizer.json.
 *
 * <p>The reference's vectors are those of the fp32 weights. In fp16 and bf16 that is fair, torch's own error has the same
 * rounding of the weights in it. In fp32 it is not, so the folder's copy of the expectations, which stands before that of
 * the testkit, has torch's fp16 error in place of its fp32 error: fp32 arithmetic on fp16 weights is judged by fp16's bar.
 */
final class HalfModel {
    private static final String ID = "all-minilm-l6-v2";
    private static final String DESCRIPTOR = "META-INF/embed4j/models/" + ID + ".json";
    private static final String EXPECTED = "io/embed4j/testkit/fixtures/" + Fixture.EMBEDDED_DEFAULT + "/expected.json";
    private static final String WEIGHTS = "half/model.safetensors";
    private static final String TOKENIZER = "half/tokenizer.json";

    private HalfModel() {}

    /**
     * Writes the folder.
     *
     * @param arguments the folder
     */
    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(List.of(arguments).get(0));
        Path original = EmbeddedModel.find(ID).unpack();
        Files.createDirectories(folder.resolve("half"));
        writeWeights(OnnxFile.read(original.resolve("model.onnx")), folder.resolve(WEIGHTS));
        Files.copy(original.resolve("tokenizer.json"), folder.resolve(TOKENIZER));
        writeDescriptor(folder);
        writeExpectations(folder);
    }

    private static void writeWeights(Map<String, WeightTensor> tensors, Path file) throws IOException {
        Map<String, WeightTensor> weights = new TreeMap<>();
        tensors.forEach((name, tensor) -> {
            if (tensor.type().isFloatingPoint() && name.matches(".*(weight|bias)") && !name.startsWith("onnx::")) {
                weights.put(name, tensor);
            }
        });
        Map<String, Object> header = new TreeMap<>();
        long offset = 0;
        for (Map.Entry<String, WeightTensor> weight : weights.entrySet()) {
            long bytes = weight.getValue().elements() * Short.BYTES;
            header.put(
                    weight.getKey(),
                    Map.of(
                            "dtype", "F16",
                            "shape", weight.getValue().shape(),
                            "data_offsets", List.of(offset, offset + bytes)));
            offset += bytes;
        }
        byte[] text = new Gson().toJson(header).getBytes(StandardCharsets.UTF_8);
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
            out.write(ByteBuffer.allocate(Long.BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(text.length)
                    .array());
            out.write(text);
            for (WeightTensor weight : weights.values()) {
                out.write(HalfFloats.bytes(WeightReader.read(weight)));
            }
        }
    }

    private static void writeDescriptor(Path folder) throws IOException {
        JsonObject descriptor = json(DESCRIPTOR);
        JsonObject resources = new JsonObject();
        resources.add("model.safetensors", resource(folder, WEIGHTS));
        resources.add("tokenizer.json", resource(folder, TOKENIZER));
        descriptor.add("resources", resources);
        write(folder.resolve(DESCRIPTOR), descriptor);
    }

    private static JsonObject resource(Path folder, String name) throws IOException {
        byte[] bytes = Files.readAllBytes(folder.resolve(name));
        JsonObject resource = new JsonObject();
        resource.addProperty("resource", name);
        resource.addProperty("bytes", bytes.length);
        try {
            resource.addProperty(
                    "sha256",
                    HexFormat.of()
                            .formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        return resource;
    }

    private static void writeExpectations(Path folder) throws IOException {
        JsonObject expected = json(EXPECTED);
        for (String member : List.of("ownError", "ownTokenError")) {
            JsonObject errors = expected.getAsJsonObject(member);
            errors.add("fp32", errors.get("fp16"));
        }
        write(folder.resolve(EXPECTED), expected);
    }

    private static JsonObject json(String resource) throws IOException {
        try (InputStream in =
                Objects.requireNonNull(HalfModel.class.getClassLoader().getResourceAsStream(resource), resource)) {
            return JsonParser.parseString(new String(in.readAllBytes(), StandardCharsets.UTF_8))
                    .getAsJsonObject();
        }
    }

    private static void write(Path file, JsonObject json) throws IOException {
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        Files.writeString(file, json.toString());
    }
}
