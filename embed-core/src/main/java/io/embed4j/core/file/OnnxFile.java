// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.DType;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the weights of an exported ONNX graph under their PyTorch parameter names.
 *
 * <p>Exporters fold the transpose of a linear layer into its weight and name the result {@code onnx::MatMul_123}: the
 * bytes are [in, out] and the name is lost. What the weight does follows from its consumer: the node
 * {@code /encoder/layer.0/attention/self/query/MatMul} takes the weight of
 * {@code encoder.layer.0.attention.self.query}, and the Add behind it a bias that kept its name. The file's
 * messages are walked once; tensor bytes are skipped.
 */
public final class OnnxFile {
    /** Operators that only optimized or quantized graphs have; their weights are fused or no longer floats. */
    private static final Set<String> REWRITTEN = Set.of(
            "Attention",
            "MultiHeadAttention",
            "EmbedLayerNormalization",
            "MatMulInteger",
            "DynamicQuantizeMatMul",
            "DynamicQuantizeLinear",
            "MatMulNBits",
            "QLinearMatMul");

    /** Nodes are read through a buffer of so many bytes. */
    private static final int READ_BYTES = 1 << 14;

    private final Path file;
    private final Path folder;
    private final Map<String, WeightTensor> initializers = new LinkedHashMap<>();
    private final List<Node> nodes = new ArrayList<>();

    private record Node(String name, String operator, List<String> inputs, List<String> outputs, boolean transB) {}

    private OnnxFile(Path file) throws IOException {
        this.file = file.toRealPath();
        // Before links are followed: in a Hugging Face cache model.onnx is a link, and its data lies beside the link.
        this.folder = Objects.requireNonNull(file.toAbsolutePath().normalize().getParent());
    }

    /**
     * Lists the weights of a graph.
     *
     * @return tensors by PyTorch parameter name; linear weights have shape [out, in] and say how they are stored
     * @throws ModelFormatException if the file is missing or damaged
     * @throws UnsupportedModelException if the graph was optimized or quantized
     */
    public static Map<String, WeightTensor> read(Path file) {
        try {
            OnnxFile onnx = new OnnxFile(file);
            onnx.readModel();
            return onnx.namedWeights();
        } catch (NoSuchFileException e) {
            throw new ModelFormatException(HelpTopic.DAMAGED_WEIGHTS, file + " is missing.", e);
        } catch (IOException | IllegalArgumentException | ArithmeticException e) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS, file + " is not a readable ONNX file: " + e.getMessage(), e);
        }
    }

    private Map<String, WeightTensor> namedWeights() {
        Map<String, String> biasByAddend = new HashMap<>();
        for (Node node : nodes) {
            if (REWRITTEN.contains(node.operator())) {
                throw new UnsupportedModelException(file + " holds the operator " + node.operator()
                        + ", so it was optimized or quantized. Use the plain fp32 export, or model.safetensors.");
            }
            if (node.operator().equals("Add") && node.inputs().size() == 2) {
                biasByAddend.put(node.inputs().get(0), node.inputs().get(1));
                biasByAddend.put(node.inputs().get(1), node.inputs().get(0));
            }
        }
        Map<String, WeightTensor> weights = new LinkedHashMap<>(initializers);
        for (Node node : nodes) {
            boolean linear = node.operator().equals("MatMul") || node.operator().equals("Gemm");
            if (!linear || node.inputs().size() < 2) {
                continue;
            }
            WeightTensor stored = initializers.get(node.inputs().get(1));
            if (stored == null || stored.shape().size() != 2) {
                continue;
            }
            String name = parameterName(node, stored.name(), biasByAddend);
            weights.remove(stored.name());
            weights.put(name, node.transB() ? renamed(stored, name) : transposed(stored, name));
        }
        return weights;
    }

    private String parameterName(Node node, String storedName, Map<String, String> biasByAddend) {
        if (!storedName.startsWith("onnx::") && storedName.endsWith(".weight")) {
            return storedName;
        }
        int scope = node.name().lastIndexOf('/');
        if (scope > 0) {
            String path = node.name().startsWith("/")
                    ? node.name().substring(1, scope)
                    : node.name().substring(0, scope);
            return path.replace('/', '.') + ".weight";
        }
        String bias = node.outputs().isEmpty()
                ? null
                : biasByAddend.get(node.outputs().get(0));
        if (bias == null && node.inputs().size() > 2) {
            bias = node.inputs().get(2);
        }
        if (bias != null && bias.endsWith(".bias")) {
            return bias.substring(0, bias.length() - ".bias".length()) + ".weight";
        }
        return storedName;
    }

    private static WeightTensor renamed(WeightTensor stored, String name) {
        return new WeightTensor(name, stored.type(), stored.shape(), false, stored.region());
    }

    private static WeightTensor transposed(WeightTensor stored, String name) {
        List<Integer> shape = List.of(stored.shape().get(1), stored.shape().get(0));
        return new WeightTensor(name, stored.type(), shape, true, stored.region());
    }

    private void readModel() throws IOException {
        long fileBytes = Files.size(file);
        if (fileBytes > Integer.MAX_VALUE) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS,
                    file + " has " + fileBytes + " bytes; a protobuf file has at most 2 GiB.");
        }
        // A stream, which skips weights: given a mapped buffer, protobuf may copy all of it to the heap.
        try (InputStream bytes = Files.newInputStream(file)) {
            CodedInputStream in = CodedInputStream.newInstance(bytes, READ_BYTES);
            in.pushLimit((int) fileBytes);
            forEachField(in, field -> {
                if (field == OnnxFields.Model.GRAPH) {
                    message(in, this::readGraphField);
                    return true;
                }
                return false;
            });
        }
        if (nodes.isEmpty()) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS, file + " holds no graph. It is not an ONNX file, or it is damaged.");
        }
    }

    private boolean readGraphField(CodedInputStream in, int field) throws IOException {
        if (field == OnnxFields.Graph.NODE) {
            readNode(in);
        } else if (field == OnnxFields.Graph.INITIALIZER) {
            readInitializer(in);
        } else {
            return false;
        }
        return true;
    }

    private void readNode(CodedInputStream in) throws IOException {
        List<String> inputs = new ArrayList<>();
        List<String> outputs = new ArrayList<>();
        String[] nameAndOperator = {"", ""};
        boolean[] transB = {false};
        message(in, (node, field) -> {
            switch (field) {
                case OnnxFields.Node.INPUT -> inputs.add(node.readString());
                case OnnxFields.Node.OUTPUT -> outputs.add(node.readString());
                case OnnxFields.Node.NAME -> nameAndOperator[0] = node.readString();
                case OnnxFields.Node.OP_TYPE -> nameAndOperator[1] = node.readString();
                case OnnxFields.Node.ATTRIBUTE -> transB[0] |= isTransB(node);
                default -> {
                    return false;
                }
            }
            return true;
        });
        nodes.add(new Node(nameAndOperator[0], nameAndOperator[1], inputs, outputs, transB[0]));
    }

    private static boolean isTransB(CodedInputStream in) throws IOException {
        String[] name = {""};
        long[] value = {0};
        message(in, (attribute, field) -> {
            if (field == OnnxFields.Attribute.NAME) {
                name[0] = attribute.readString();
            } else if (field == OnnxFields.Attribute.INT) {
                value[0] = attribute.readInt64();
            } else {
                return false;
            }
            return true;
        });
        return name[0].equals("transB") && value[0] == 1;
    }

    private void readInitializer(CodedInputStream in) throws IOException {
        List<Integer> shape = new ArrayList<>();
        Map<String, String> external = new HashMap<>();
        String[] name = {""};
        int[] type = {0};
        long[] rawOffsetAndLength = {-1, 0};
        message(in, (tensor, field) -> {
            switch (field) {
                case OnnxFields.Tensor.DIMS -> readDims(tensor, shape);
                case OnnxFields.Tensor.DATA_TYPE -> type[0] = tensor.readInt32();
                case OnnxFields.Tensor.NAME -> name[0] = tensor.readString();
                case OnnxFields.Tensor.EXTERNAL_DATA -> readEntry(tensor, external);
                case OnnxFields.Tensor.RAW_DATA -> {
                    rawOffsetAndLength[1] = tensor.readUInt32();
                    rawOffsetAndLength[0] = tensor.getTotalBytesRead();
                    tensor.skipRawBytes((int) rawOffsetAndLength[1]);
                }
                default -> {
                    return false;
                }
            }
            return true;
        });
        Optional<DType> known = type(type[0]);
        FileRegion region = external.isEmpty()
                ? rawOffsetAndLength[0] < 0 ? null : new FileRegion(file, rawOffsetAndLength[0], rawOffsetAndLength[1])
                : externalRegion(name[0], external);
        // Small constants may be stored as typed fields, and types such as strings exist: neither is ever a weight.
        if (known.isPresent() && region != null) {
            initializers.put(name[0], new WeightTensor(name[0], known.get(), shape, false, region));
        }
    }

    /** A repeated number may be written one by one or packed: protobuf readers must take both. */
    private static void readDims(CodedInputStream in, List<Integer> shape) throws IOException {
        if (WireFormat.getTagWireType(in.getLastTag()) == WireFormat.WIRETYPE_VARINT) {
            shape.add(Math.toIntExact(in.readInt64()));
            return;
        }
        int limit = in.pushLimit(in.readUInt32());
        while (!in.isAtEnd()) {
            shape.add(Math.toIntExact(in.readInt64()));
        }
        in.popLimit(limit);
    }

    private FileRegion externalRegion(String name, Map<String, String> external) throws IOException {
        String location = external.getOrDefault("location", "");
        Path data = folder.resolve(location).normalize();
        if (!data.startsWith(folder)) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS,
                    file + ": tensor " + name + " lies outside the model's directory, at \"" + location + "\".");
        }
        if (!Files.isRegularFile(data)) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS,
                    file + ": tensor " + name + " lies in \"" + location + "\", but " + data + " is missing.");
        }
        long fileBytes = Files.size(data);
        long offset = Long.parseLong(external.getOrDefault("offset", "0"));
        long length = external.containsKey("length") ? Long.parseLong(external.get("length")) : fileBytes - offset;
        if (offset < 0 || length < 0 || offset > fileBytes - length) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS,
                    file + ": tensor " + name + " lies at " + offset + " + " + length + " of " + data + ", which has "
                            + fileBytes + " bytes. One of the files is cut or damaged.");
        }
        return new FileRegion(data.toRealPath(), offset, length);
    }

    private static void readEntry(CodedInputStream in, Map<String, String> entries) throws IOException {
        String[] keyAndValue = {"", ""};
        message(in, (entry, field) -> {
            if (field == OnnxFields.Entry.KEY || field == OnnxFields.Entry.VALUE) {
                keyAndValue[field - OnnxFields.Entry.KEY] = entry.readString();
                return true;
            }
            return false;
        });
        entries.put(keyAndValue[0], keyAndValue[1]);
    }

    private static Optional<DType> type(int onnxType) {
        return Optional.ofNullable(
                switch (onnxType) {
                    case OnnxFields.DataType.FLOAT -> DType.FP32;
                    case OnnxFields.DataType.FLOAT16 -> DType.FP16;
                    case OnnxFields.DataType.BFLOAT16 -> DType.BF16;
                    case OnnxFields.DataType.DOUBLE -> DType.FP64;
                    case OnnxFields.DataType.INT64 -> DType.INT64;
                    case OnnxFields.DataType.INT32 -> DType.INT32;
                    default -> null;
                });
    }

    /** Reads one field if it is known. */
    @FunctionalInterface
    private interface FieldReader {
        boolean read(int field) throws IOException;
    }

    /** Reads one field of a nested message if it is known. */
    @FunctionalInterface
    private interface NestedReader {
        boolean read(CodedInputStream in, int field) throws IOException;
    }

    private static void message(CodedInputStream in, NestedReader reader) throws IOException {
        int limit = in.pushLimit(in.readUInt32());
        forEachField(in, field -> reader.read(in, field));
        in.popLimit(limit);
    }

    private static void forEachField(CodedInputStream in, FieldReader reader) throws IOException {
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            if (!reader.read(WireFormat.getTagFieldNumber(tag))) {
                in.skipField(tag);
            }
        }
    }
}
