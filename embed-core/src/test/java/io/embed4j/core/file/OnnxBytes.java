// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Writes small ONNX files for tests, field by field. */
final class OnnxBytes {
    private final List<Field> graph = new ArrayList<>();

    /** Writes one field. */
    @FunctionalInterface
    interface Field {
        void write(CodedOutputStream out) throws IOException;
    }

    static byte[] message(List<Field> fields) {
        try {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            CodedOutputStream out = CodedOutputStream.newInstance(bytes);
            for (Field field : fields) {
                field.write(out);
            }
            out.flush();
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Field nested(int field, Field... fields) {
        return out -> out.writeByteArray(field, message(List.of(fields)));
    }

    private static Field text(int field, String value) {
        return out -> out.writeString(field, value);
    }

    private static Field[] concat(List<Field> fields, Field... more) {
        List<Field> all = new ArrayList<>(fields);
        all.addAll(List.of(more));
        return all.toArray(Field[]::new);
    }

    /** A node with one output. */
    OnnxBytes node(String name, String operator, List<String> inputs, String output) {
        return node(name, operator, inputs, output, Map.of());
    }

    /** A node with one output and whole-number attributes. */
    OnnxBytes node(String name, String operator, List<String> inputs, String output, Map<String, Integer> attributes) {
        List<Field> fields = new ArrayList<>();
        inputs.forEach(input -> fields.add(text(OnnxFields.Node.INPUT, input)));
        attributes.forEach((key, value) -> fields.add(nested(
                OnnxFields.Node.ATTRIBUTE,
                text(OnnxFields.Attribute.NAME, key),
                out -> out.writeInt64(OnnxFields.Attribute.INT, value),
                out -> out.writeFloat(OnnxFields.Attribute.FLOAT, 1f))));
        graph.add(nested(
                OnnxFields.Graph.NODE,
                concat(
                        fields,
                        text(OnnxFields.Node.OUTPUT, output),
                        text(OnnxFields.Node.NAME, name),
                        text(OnnxFields.Node.OP_TYPE, operator))));
        return this;
    }

    /** A tensor whose bytes lie in the file; each size is its own field. */
    OnnxBytes initializer(String name, int type, byte[] bytes, int... dims) {
        List<Field> sizes = new ArrayList<>();
        for (int size : dims) {
            sizes.add(out -> out.writeInt64(OnnxFields.Tensor.DIMS, size));
        }
        return tensor(name, type, sizes, out -> out.writeByteArray(OnnxFields.Tensor.RAW_DATA, bytes));
    }

    /** A tensor whose sizes are packed into one field, as proto3 writers do. */
    OnnxBytes packedInitializer(String name, int type, byte[] bytes, int... dims) {
        Field sizes = out -> {
            ByteString.Output packed = ByteString.newOutput();
            CodedOutputStream numbers = CodedOutputStream.newInstance(packed);
            for (int size : dims) {
                numbers.writeInt64NoTag(size);
            }
            numbers.flush();
            out.writeBytes(OnnxFields.Tensor.DIMS, packed.toByteString());
        };
        return tensor(name, type, List.of(sizes), out -> out.writeByteArray(OnnxFields.Tensor.RAW_DATA, bytes));
    }

    /** A tensor whose bytes lie in another file. */
    OnnxBytes external(String name, int type, Map<String, String> where, int... dims) {
        List<Field> fields = new ArrayList<>();
        for (int size : dims) {
            fields.add(out -> out.writeInt64(OnnxFields.Tensor.DIMS, size));
        }
        where.forEach((key, value) -> fields.add(nested(
                OnnxFields.Tensor.EXTERNAL_DATA,
                text(OnnxFields.Entry.KEY, key),
                text(OnnxFields.Entry.VALUE, value))));
        return tensor(name, type, fields, out -> out.writeInt32(OnnxFields.Tensor.DATA_LOCATION, 1));
    }

    /** A tensor whose numbers are a field of their own (int64_data, 7), as small constants are written. */
    OnnxBytes typedConstant(String name, long value) {
        return tensor(name, OnnxFields.DataType.INT64, List.of(), out -> out.writeInt64(7, value));
    }

    private OnnxBytes tensor(String name, int type, List<Field> fields, Field data) {
        graph.add(nested(
                OnnxFields.Graph.INITIALIZER,
                concat(
                        fields,
                        out -> out.writeInt32(OnnxFields.Tensor.DATA_TYPE, type),
                        text(OnnxFields.Tensor.NAME, name),
                        data)));
        return this;
    }

    byte[] toBytes() {
        return message(List.of(
                out -> out.writeInt64(OnnxFields.Model.IR_VERSION, 8),
                text(OnnxFields.Model.PRODUCER_NAME, "pytorch"),
                out -> out.writeByteArray(OnnxFields.Model.GRAPH, message(graph))));
    }
}
