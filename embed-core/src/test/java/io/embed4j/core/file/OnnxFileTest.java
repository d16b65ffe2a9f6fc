// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.embed4j.ModelFormatException;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.OnnxFields.DataType;
import io.embed4j.spec.DType;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OnnxFileTest {
    private static final String QUERY = "encoder.layer.0.attention.self.query.weight";

    @TempDir
    private Path temporary;

    private Path folder;

    @BeforeEach
    void resolveLinks() throws IOException {
        folder = temporary.toRealPath();
    }

    /** 2 x 3 floats, every byte the same so that a test knows them again. */
    private static byte[] floats(int tag) {
        byte[] bytes = new byte[24];
        Arrays.fill(bytes, (byte) tag);
        return bytes;
    }

    private Path write(OnnxBytes onnx) throws IOException {
        return Files.write(folder.resolve("model.onnx"), onnx.toBytes());
    }

    private Map<String, WeightTensor> read(OnnxBytes onnx) throws IOException {
        return OnnxFile.read(write(onnx));
    }

    private static WeightTensor only(Map<String, WeightTensor> weights, String name) {
        assertThat(weights).containsOnlyKeys(name);
        return Objects.requireNonNull(weights.get(name));
    }

    private static byte firstByte(WeightTensor weight) throws IOException {
        ByteBuffer bytes = weight.region().map();
        assertThat(bytes.remaining()).isEqualTo(24);
        return bytes.get(23);
    }

    // Names

    @Test
    void anAnonymousWeightIsNamedByTheNodeThatUsesIt() throws IOException {
        WeightTensor weight = only(
                read(new OnnxBytes()
                        .node(
                                "/encoder/layer.0/attention/self/query/MatMul",
                                "MatMul",
                                List.of("x", "onnx::MatMul_1"),
                                "y")
                        .initializer("onnx::MatMul_1", DataType.FLOAT, floats(7), 2, 3)),
                QUERY);
        assertThat(weight.name()).isEqualTo(QUERY);
        assertThat(weight.type()).isEqualTo(DType.FP32);
        assertThat(weight.transposed()).isTrue();
        assertThat(weight.shape()).as("as PyTorch has it: [out, in]").containsExactly(3, 2);
        assertThat(firstByte(weight)).isEqualTo((byte) 7);
    }

    @Test
    void aGemmWithTransBHoldsTheWeightAsPyTorchDoes() throws IOException {
        OnnxBytes onnx = new OnnxBytes()
                .node("/pooler/dense/Gemm", "Gemm", List.of("x", "w", "b"), "y", Map.of("alpha", 1, "transB", 1))
                .initializer("w", DataType.FLOAT, floats(1), 2, 3);
        WeightTensor weight = only(read(onnx), "pooler.dense.weight");
        assertThat(weight.transposed()).isFalse();
        assertThat(weight.shape()).containsExactly(2, 3);
    }

    @Test
    void aGemmWithoutTransBHoldsItTransposed() throws IOException {
        OnnxBytes onnx = new OnnxBytes()
                .node("/pooler/dense/Gemm", "Gemm", List.of("x", "w", "b"), "y", Map.of("transB", 0, "transA", 1))
                .initializer("w", DataType.FLOAT, floats(1), 2, 3);
        assertThat(only(read(onnx), "pooler.dense.weight").transposed()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"product, dense.bias", "dense.bias, product"})
    void anUnnamedNodeIsNamedByTheBiasBehindIt(String left, String right) throws IOException {
        OnnxBytes onnx = new OnnxBytes()
                .node("MatMul_12", "MatMul", List.of("x", "42"), "product")
                .node("Add_13", "Add", List.of(left, right), "y")
                .initializer("42", DataType.FLOAT, floats(2), 2, 3);
        assertThat(only(read(onnx), "dense.weight").transposed()).isTrue();
    }

    @Test
    void anUnnamedGemmIsNamedByItsOwnBias() throws IOException {
        OnnxBytes onnx = new OnnxBytes()
                .node("Gemm_1", "Gemm", List.of("x", "42", "dense.bias"), "y", Map.of("transB", 1))
                .initializer("42", DataType.FLOAT, floats(2), 2, 3);
        only(read(onnx), "dense.weight");
    }

    @Test
    void whatHasANameKeepsIt() throws IOException {
        Map<String, WeightTensor> weights = read(new OnnxBytes()
                .node("/encoder/layer.0/MatMul", "MatMul", List.of("x", "real.name.weight"), "y")
                .node("/embeddings/Gather", "Gather", List.of("embeddings.word_embeddings.weight", "ids"), "e")
                .node("nameless", "MatMul", List.of("x", "nobody knows"), "z")
                .initializer("real.name.weight", DataType.FLOAT, floats(1), 2, 3)
                .initializer("embeddings.word_embeddings.weight", DataType.FLOAT, floats(2), 2, 3)
                .initializer("encoder.bias", DataType.FLOAT, floats(3), 6)
                .initializer("nobody knows", DataType.FLOAT, floats(4), 2, 3));
        assertThat(weights)
                .containsOnlyKeys(
                        "real.name.weight", "embeddings.word_embeddings.weight", "encoder.bias", "nobody knows");
        WeightTensor linear = Objects.requireNonNull(weights.get("real.name.weight"));
        assertThat(linear.transposed()).isTrue();
        WeightTensor table = Objects.requireNonNull(weights.get("embeddings.word_embeddings.weight"));
        assertThat(table.transposed()).isFalse();
        assertThat(table.shape()).containsExactly(2, 3);
    }

    @Test
    void productsOfActivationsAreNoWeights() throws IOException {
        OnnxBytes onnx = new OnnxBytes()
                .node("/attention/MatMul", "MatMul", List.of("q", "k"), "scores")
                .node("/attention/MatMul_1", "MatMul", List.of("scores"), "y")
                .node("/batched/MatMul", "MatMul", List.of("x", "cube"), "z")
                .initializer("cube", DataType.FLOAT, floats(1), 1, 2, 3);
        only(read(onnx), "cube");
    }

    // Tensors

    @Test
    void sizesMayBePacked() throws IOException {
        OnnxBytes onnx = new OnnxBytes()
                .node("n", "Identity", List.of("w"), "y")
                .packedInitializer("w", DataType.FLOAT16, floats(1), 3, 4);
        WeightTensor weight = only(read(onnx), "w");
        assertThat(weight.shape()).containsExactly(3, 4);
        assertThat(weight.type()).isEqualTo(DType.FP16);
    }

    @Test
    void constantsThatAreNoWeightsAreLeftOut() throws IOException {
        OnnxBytes onnx = new OnnxBytes()
                .node("n", "Identity", List.of("w"), "y")
                .typedConstant("axis", 1)
                .initializer("flags", DataType.BOOL, new byte[4], 4)
                .initializer("w", DataType.DOUBLE, floats(1), 3);
        assertThat(only(read(onnx), "w").type()).isEqualTo(DType.FP64);
    }

    @Test
    void aShapeThatDoesNotFitItsBytesIsNamed() throws IOException {
        Path file = write(new OnnxBytes()
                .node("n", "Identity", List.of("w"), "y")
                .initializer("w", DataType.FLOAT, floats(1), 5, 5));
        assertThatThrownBy(() -> OnnxFile.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + " is not a readable ONNX file: w of shape [5, 5] in FP32 cannot have 24 bytes.");
    }

    // External data

    private OnnxBytes external(Map<String, String> where) {
        return new OnnxBytes().node("n", "Identity", List.of("w"), "y").external("w", DataType.FLOAT, where, 2, 3);
    }

    private Path data(String name, int... tags) throws IOException {
        byte[] bytes = new byte[24 * tags.length];
        for (int i = 0; i < tags.length; i++) {
            System.arraycopy(floats(tags[i]), 0, bytes, 24 * i, 24);
        }
        Path file = folder.resolve(name);
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        return Files.write(file, bytes);
    }

    @Test
    void weightsMayLieInAFileBeside() throws IOException {
        Path data = data("model.onnx_data", 5, 6);
        WeightTensor second =
                only(read(external(Map.of("location", "model.onnx_data", "offset", "24", "length", "24"))), "w");
        assertThat(second.region().file()).isEqualTo(data);
        assertThat(firstByte(second)).isEqualTo((byte) 6);
        WeightTensor tail = only(read(external(Map.of("location", "model.onnx_data", "offset", "24"))), "w");
        assertThat(tail.region()).isEqualTo(second.region());
    }

    @Test
    void theFileBesideMayBeInAFolder() throws IOException {
        data("data/weights.bin", 9);
        assertThat(firstByte(only(read(external(Map.of("location", "data/../data/weights.bin"))), "w")))
                .isEqualTo((byte) 9);
    }

    /** In a Hugging Face cache both files are links into a folder of blobs; the data lies beside the link. */
    @Test
    void dataLiesBesideTheLinkNotBesideItsTarget() throws IOException {
        Path blobs = Files.createDirectory(folder.resolve("blobs"));
        Path snapshot = Files.createDirectory(folder.resolve("snapshot"));
        Files.write(
                blobs.resolve("aaaa"),
                external(Map.of("location", "model.onnx_data")).toBytes());
        Files.write(blobs.resolve("bbbb"), floats(3));
        Files.createSymbolicLink(snapshot.resolve("model.onnx"), blobs.resolve("aaaa"));
        Files.createSymbolicLink(snapshot.resolve("model.onnx_data"), blobs.resolve("bbbb"));
        WeightTensor weight = only(OnnxFile.read(snapshot.resolve("model.onnx")), "w");
        assertThat(weight.region().file()).isEqualTo(blobs.resolve("bbbb"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"../secret", "a/../../secret", "/etc/hostname"})
    void dataOutsideTheFolderIsRefused(String location) throws IOException {
        Path inner = Files.createDirectory(folder.resolve("inner"));
        data("secret", 1);
        Path file = Files.write(
                inner.resolve("model.onnx"),
                external(Map.of("location", location)).toBytes());
        assertThatThrownBy(() -> OnnxFile.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + ": tensor w lies outside the model's directory, at \"" + location + "\".");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gone.bin", "", "."})
    void missingDataIsNamed(String location) throws IOException {
        Path file = write(external(Map.of("location", location)));
        assertThatThrownBy(() -> OnnxFile.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file + ": tensor w lies in \"" + location + "\", but ")
                .hasMessageEndingWith(" is missing.");
    }

    @ParameterizedTest
    @CsvSource({"1, 24", "25, 24", "-24, 24", "0, -1", "9223372036854775807, 24", "24, 9223372036854775807"})
    void dataBeyondItsFileIsNamed(String offset, String length) throws IOException {
        Path data = data("model.onnx_data", 5);
        Path file = write(external(Map.of("location", "model.onnx_data", "offset", offset, "length", length)));
        assertThatThrownBy(() -> OnnxFile.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + ": tensor w lies at " + offset + " + " + length + " of " + data
                        + ", which has 24 bytes. One of the files is cut or damaged.");
    }

    @Test
    void anOffsetThatIsNoNumberIsNamed() throws IOException {
        data("model.onnx_data", 5);
        Path file = write(external(Map.of("location", "model.onnx_data", "offset", "ten")));
        assertThatThrownBy(() -> OnnxFile.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContainingAll(file.toString(), "\"ten\"");
    }

    // What cannot be read

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Attention",
                "MultiHeadAttention",
                "EmbedLayerNormalization",
                "MatMulInteger",
                "DynamicQuantizeMatMul",
                "DynamicQuantizeLinear",
                "MatMulNBits",
                "QLinearMatMul"
            })
    void optimizedAndQuantizedGraphsAreRefused(String operator) throws IOException {
        Path file = write(new OnnxBytes().node("n", operator, List.of("x"), "y"));
        assertThatThrownBy(() -> OnnxFile.read(file))
                .isInstanceOf(UnsupportedModelException.class)
                .hasMessage(file + " holds the operator " + operator
                        + ", so it was optimized or quantized. Use the plain" + " fp32 export, or model.safetensors.");
    }

    @Test
    void filesThatAreNoOnnxAreNamed() throws IOException {
        Path missing = folder.resolve("nowhere.onnx");
        assertThatThrownBy(() -> OnnxFile.read(missing))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(missing + " is missing.");
        Path empty = Files.write(folder.resolve("empty.onnx"), new byte[0]);
        assertThatThrownBy(() -> OnnxFile.read(empty))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(empty + " holds no graph. It is not an ONNX file, or it is damaged.");
        Path text = Files.writeString(folder.resolve("text.onnx"), "version https://git-lfs.github.com/spec/v1\n");
        assertThatThrownBy(() -> OnnxFile.read(text))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining(text.toString());
        assertThatThrownBy(() -> OnnxFile.read(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining(folder.toString());
    }

    @Test
    void groupsNestedWithoutEndAreRefused() throws IOException {
        byte[] groups = String.join("", Collections.nCopies(100_000, "\u000b")).getBytes(StandardCharsets.US_ASCII);
        Path file = Files.write(folder.resolve("deep.onnx"), groups);
        assertThatThrownBy(() -> OnnxFile.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining(file.toString());
    }

    /** Damaged files are read or refused: no other exception, no hang, no more memory than a small multiple of the file. */
    @Test
    void damagedFilesAreReadOrRefused() throws IOException {
        data("model.onnx_data", 5, 6);
        byte[] valid = new OnnxBytes()
                .node("/encoder/layer.0/attention/self/query/MatMul", "MatMul", List.of("x", "onnx::MatMul_1"), "a")
                .node("/pooler/dense/Gemm", "Gemm", List.of("a", "w2", "pooler.bias"), "b", Map.of("transB", 1))
                .node("MatMul_7", "MatMul", List.of("b", "43"), "c")
                .node("Add_8", "Add", List.of("dense.bias", "c"), "d")
                .initializer("onnx::MatMul_1", DataType.FLOAT, floats(1), 2, 3)
                .packedInitializer("w2", DataType.FLOAT16, floats(2), 3, 4)
                .initializer("43", DataType.BFLOAT16, floats(3), 4, 3)
                .initializer("dense.bias", DataType.DOUBLE, floats(4), 3)
                .external("e", DataType.FLOAT, Map.of("location", "model.onnx_data", "offset", "24"), 2, 3)
                .typedConstant("axis", 1)
                .toBytes();
        Damage.isReadOrRefused(valid, folder.resolve("model.onnx"), file -> {
            for (WeightTensor weight : OnnxFile.read(file).values()) {
                assertThat(weight.region().map().remaining())
                        .isEqualTo((int) weight.elements() * weight.type().bytes());
            }
        });
    }

    @Test
    void weightsAreSkippedNotBroughtToTheHeap() throws IOException {
        int bytes = 32 << 20;
        Path file = write(new OnnxBytes()
                .node("/query/MatMul", "MatMul", List.of("x", "w"), "y")
                .initializer("w", DataType.FLOAT, new byte[bytes], bytes / 4 / 1024, 1024));
        OnnxFile.read(file); // classes are loaded
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        WeightTensor weight = only(OnnxFile.read(file), "query.weight");
        long allocated = threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - before;
        assertThat(weight.region().length()).isEqualTo(bytes);
        assertThat(allocated).isBetween(0L, bytes / 32L);
    }
}
