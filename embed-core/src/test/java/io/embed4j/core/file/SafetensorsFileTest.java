// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.ModelFormatException;
import io.embed4j.spec.DType;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsFileTest {
    private static final String TWO_TENSORS = """
            {"__metadata__": {"format": "pt"},
             "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
             "b": {"dtype": "F16", "shape": [4], "data_offsets": [24, 32]}}""";

    @TempDir
    private Path folder;

    private static byte[] file(String header, int dataBytes) {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES + text.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(text.length)
                .put(text);
        for (int i = 0; bytes.hasRemaining(); i++) {
            bytes.put((byte) i);
        }
        return bytes.array();
    }

    private Path write(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("model.safetensors"), bytes);
    }

    private static WeightTensor get(Map<String, WeightTensor> tensors, String name) {
        return Objects.requireNonNull(tensors.get(name));
    }

    @Test
    void tensorsAreListedWithTheirPlaces() throws IOException {
        Path file = write(file(TWO_TENSORS, 32));
        long data = (long) Long.BYTES + TWO_TENSORS.length();
        Map<String, WeightTensor> tensors = SafetensorsFile.read(file);
        Path real = file.toRealPath();
        assertThat(tensors)
                .containsExactly(
                        Map.entry(
                                "a",
                                new WeightTensor(
                                        "a", DType.FP32, List.of(2, 3), false, new FileRegion(real, data, 24))),
                        Map.entry(
                                "b",
                                new WeightTensor(
                                        "b", DType.FP16, List.of(4), false, new FileRegion(real, data + 24, 8))));
        assertThat(get(tensors, "b").region().map().get()).isEqualTo((byte) 24);
    }

    @Test
    void everyTypeHasItsWidth() throws IOException {
        Map<String, DType> types = Map.of(
                "F64", DType.FP64,
                "F32", DType.FP32,
                "F16", DType.FP16,
                "BF16", DType.BF16,
                "I64", DType.INT64,
                "I32", DType.INT32,
                "I8", DType.INT8,
                "U8", DType.UINT8,
                "BOOL", DType.UINT8);
        for (Map.Entry<String, DType> type : types.entrySet()) {
            int bytes = 3 * type.getValue().bytes();
            Path file = write(file(
                    "{\"x\": {\"dtype\": \"%s\", \"shape\": [3], \"data_offsets\": [0, %d]}}"
                            .formatted(type.getKey(), bytes),
                    bytes));
            assertThat(get(SafetensorsFile.read(file), "x").type()).isEqualTo(type.getValue());
        }
    }

    @Test
    void emptyTensorsMayLieAnywhereAndScalarsHaveNoShape() throws IOException {
        Path file = write(file("""
                {"full": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
                 "empty": {"dtype": "F32", "shape": [0, 7], "data_offsets": [0, 0]},
                 "alsoEmpty": {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}}""", 4));
        assertThat(SafetensorsFile.read(file)).containsOnlyKeys("full", "empty", "alsoEmpty");
    }

    static List<Arguments> lies() {
        byte[] headerTooLong = file(TWO_TENSORS, 32);
        ByteBuffer.wrap(headerTooLong).order(ByteOrder.LITTLE_ENDIAN).putLong(0, 5000);
        byte[] headerNegative = file(TWO_TENSORS, 32);
        ByteBuffer.wrap(headerNegative).order(ByteOrder.LITTLE_ENDIAN).putLong(0, Long.MIN_VALUE);
        return List.of(
                lie("an empty file", new byte[0], "0 bytes, too few"),
                lie("seven bytes", new byte[7], "7 bytes, too few"),
                lie("a header beyond the file", headerTooLong, "5000 bytes", "cut, or not a safetensors file"),
                lie("a negative header", headerNegative, "-9223372036854775808 bytes"),
                lie("no header", file("", 100), "a header of 0 bytes"),
                lie("a header that is no JSON", file("{\"a\": ", 8), "not valid JSON"),
                lie("a header by half JSON", file("{a: {dtype: 'F32'}}", 8), "not valid JSON"),
                lie("a header that goes on", file("{} {}", 8), "not valid JSON"),
                lie("a header that is an array", file("[1, 2]", 8), "must hold a JSON object"),
                lie("deep nesting", file("{\"a\":".repeat(5000) + "1" + "}".repeat(5000), 8), "not valid JSON"),
                lie("deep arrays", file("{\"a\":" + "[".repeat(100_000), 8), "not valid JSON"),
                lie("a tensor that is null", file("{\"a\": null}", 8), "tensor a is null"),
                lie("a tensor that is a number", file("{\"a\": 5}", 8), "\"a\" must be an object, found 5"),
                lie("no dtype", tensor("\"shape\": [2], \"data_offsets\": [0, 8]"), "\"a\" has no \"dtype\""),
                lie("no shape", tensor("\"dtype\": \"F32\", \"data_offsets\": [0, 8]"), "\"a\" has no \"shape\""),
                lie("no offsets", tensor("\"dtype\": \"F32\", \"shape\": [2]"), "\"a\" has no \"data_offsets\""),
                lie("an unknown dtype", tensor("F8_E4M3", "[8]", "[0, 8]"), "tensor a has dtype F8_E4M3", "BF16"),
                lie(
                        "a dtype that is a number",
                        tensor("\"dtype\": 5, \"shape\": [2], \"data_offsets\": [0, 8]"),
                        "found 5"),
                lie("a negative size", tensor("F32", "[-2]", "[0, 8]"), "tensor a has a size of -2"),
                lie("a huge size", tensor("F32", "[2147483648]", "[0, 8]"), "tensor a has a size of 2147483648"),
                lie("a size beyond long", tensor("F32", "[1e30]", "[0, 8]"), "\"shape\" must be", "[1e30]"),
                lie("half a size", tensor("F32", "[2.5]", "[0, 8]"), "\"shape\" must be", "[2.5]"),
                lie("a size in words", tensor("F32", "[\"two\"]", "[0, 8]"), "\"shape\" must be", "[\"two\"]"),
                lie("a shape that is no array", tensor("F32", "2", "[0, 8]"), "\"shape\" must be", "found 2"),
                lie(
                        "more elements than a long can count",
                        tensor("F32", "[2147483647, 2147483647, 2147483647]", "[0, 8]"),
                        "a of shape [2147483647, 2147483647, 2147483647] in FP32 cannot have 8 bytes"),
                lie("a shape too small", tensor("F32", "[1]", "[0, 8]"), "a of shape [1] in FP32 cannot have 8 bytes"),
                lie("a shape too large", tensor("F64", "[2]", "[0, 8]"), "a of shape [2] in FP64 cannot have 8 bytes"),
                lie(
                        "an end beyond the file",
                        tensor("F32", "[3]", "[0, 12]"),
                        "tensor a lies at [0, 12]",
                        "has 8 bytes"),
                lie("a negative begin", tensor("F32", "[2]", "[-8, 0]"), "tensor a lies at [-8, 0]"),
                lie("reversed offsets", tensor("F32", "[2]", "[8, 0]"), "tensor a lies at [8, 0]"),
                lie("one offset", tensor("F32", "[2]", "[8]"), "tensor a lies at [8]"),
                lie("three offsets", tensor("F32", "[2]", "[0, 8, 8]"), "tensor a lies at [0, 8, 8]"),
                lie("overlapping tensors", file("""
                                {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                                 "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}""", 12), "tensors a and b overlap"));
    }

    private static Arguments lie(String what, byte[] bytes, String... saying) {
        return Arguments.of(what, bytes, saying);
    }

    private static byte[] tensor(String fields) {
        return file("{\"a\": {" + fields + "}}", 8);
    }

    private static byte[] tensor(String dtype, String shape, String offsets) {
        return tensor("\"dtype\": \"" + dtype + "\", \"shape\": " + shape + ", \"data_offsets\": " + offsets);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("lies")
    void everyLieIsNamed(String what, byte[] bytes, String[] saying) throws IOException {
        Path file = write(bytes);
        assertThatThrownBy(() -> SafetensorsFile.read(file))
                .as(what)
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file.toRealPath().toString())
                .hasMessageContainingAll(saying);
    }

    @Test
    void aHeaderBeyondTheCapIsNotRead() throws IOException {
        // A sparse file: large enough for what it claims, empty on disk.
        Path file = folder.resolve("sparse.safetensors");
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(300_000_000);
            sparse.write(ByteBuffer.allocate(Long.BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(200_000_000)
                    .array());
        }
        long before = Damage.allocatedBytes();
        assertThatThrownBy(() -> SafetensorsFile.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("claims a header of 200000000 bytes");
        assertThat(Damage.allocatedBytes() - before).isLessThan(10_000_000);
    }

    @Test
    void whatIsNoFileIsNamed() {
        Path missing = folder.resolve("nowhere.safetensors");
        assertThatThrownBy(() -> SafetensorsFile.read(missing))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(missing + " is missing.");
        assertThatThrownBy(() -> SafetensorsFile.read(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining(folder.toString());
    }

    /** Damaged files are read or refused: no other exception, no hang, no more memory than a small multiple of the file. */
    @Test
    void damagedFilesAreReadOrRefused() throws IOException {
        byte[] valid = file(TWO_TENSORS, 32);
        Damage.isReadOrRefused(valid, folder.resolve("damaged.safetensors"), file -> {
            for (WeightTensor tensor : SafetensorsFile.read(file).values()) {
                FileRegion region = tensor.region();
                assertThat(region.offset() + region.length()).isLessThanOrEqualTo(Files.size(file));
            }
        });
    }
}
