// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import com.google.protobuf.CodedOutputStream;
import io.embed4j.core.file.OnnxFields;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes an ONNX model message by message. Values are named by this class; callers pass the names on.
 *
 * <p>The format is protobuf; only what encoders need is here. Large tensors are not copied: they are entered as external
 * data, a region of a file.
 */
public final class OnnxGraph {
    /** The domain of ONNX Runtime's own operators. */
    public static final String MICROSOFT = "com.microsoft";

    /** Operator set 20 brought Gelu; 21 is what ONNX Runtime has implemented in full on the CPU for years. */
    private static final int OPSET = 21;

    private static final int IR_VERSION = 10;
    private static final int ATTRIBUTE_IS_FLOAT = 1;
    private static final int ATTRIBUTE_IS_INT = 2;
    private static final int ATTRIBUTE_IS_STRING = 3;
    private static final int ATTRIBUTE_IS_GRAPH = 5;
    private static final int ATTRIBUTE_IS_INTS = 7;
    private static final int EXTERNAL = 1;

    private final List<byte[]> nodes = new ArrayList<>();
    private final List<byte[]> initializers = new ArrayList<>();
    private final List<byte[]> inputs = new ArrayList<>();
    private final List<byte[]> outputs = new ArrayList<>();
    private final Map<List<Long>, String> constants = new HashMap<>();
    private final String prefix;
    private int values;
    private int bodies;

    /** Begins an empty graph. */
    public OnnxGraph() {
        this("");
    }

    /** A graph within another one: its names are of its own, for it sees the other's values. */
    private OnnxGraph(String prefix) {
        this.prefix = prefix;
    }

    /** Writes what is done in each step of {@link #forEach}. */
    @FunctionalInterface
    public interface Step {
        /**
         * Writes the nodes of a step, which may use values of the graph around it.
         *
         * @param body where the nodes go
         * @param number int64 scalar, the step's number from 0
         * @return name of the step's result, fp32
         */
        String write(OnnxGraph body, String number);
    }

    /** Writes the fields of one message. */
    @FunctionalInterface
    private interface Fields {
        void write(CodedOutputStream out) throws IOException;
    }

    /**
     * An attribute of a node.
     *
     * @param name its name
     * @param value a Float, Long, String, List of Long, or a graph's bytes
     */
    public record Attribute(String name, Object value) {
        /** A whole number. */
        public static Attribute of(String name, long value) {
            return new Attribute(name, value);
        }

        /** A number. */
        public static Attribute of(String name, float value) {
            return new Attribute(name, value);
        }

        /** Whole numbers. */
        public static Attribute of(String name, List<Long> values) {
            return new Attribute(name, values);
        }

        /** A string. */
        public static Attribute of(String name, String value) {
            return new Attribute(name, value);
        }
    }

    /**
     * Declares an input.
     *
     * @param name the name under which it is fed
     * @param type one of {@link OnnxFields.DataType}
     * @param dimensions names of its sizes
     * @return the name
     */
    public String input(String name, int type, String... dimensions) {
        inputs.add(value(name, type, dimensions));
        return name;
    }

    /**
     * Declares an output.
     *
     * @param value the value to return
     * @param name the name under which it is returned
     * @param type one of {@link OnnxFields.DataType}
     * @param dimensions names of its sizes
     */
    public void output(String value, String name, int type, String... dimensions) {
        nodes.add(nodeMessage("Identity", "", List.of(value), name));
        outputs.add(value(name, type, dimensions));
    }

    /**
     * Adds a node of the standard domain with one output.
     *
     * @param operator the operator
     * @param in names of its inputs; "" for an optional one that is left out
     * @param attributes its attributes
     * @return the name of its output
     */
    public String node(String operator, List<String> in, Attribute... attributes) {
        return nodeIn("", operator, in, attributes);
    }

    /**
     * Adds a node with one output.
     *
     * @param domain "" or {@link #MICROSOFT}
     * @param operator the operator
     * @param in names of its inputs; "" for an optional one that is left out
     * @param attributes its attributes
     * @return the name of its output
     */
    public String nodeIn(String domain, String operator, List<String> in, Attribute... attributes) {
        String out = newValue();
        nodes.add(nodeMessage(operator, domain, in, out, attributes));
        return out;
    }

    private String newValue() {
        return prefix + "v" + values++;
    }

    /**
     * Adds a piece of graph that runs once for each number from 0.
     *
     * @param count int64 scalar, how often it runs; at least once
     * @param step writes the piece
     * @return the name of all results one behind the other, along their first axis
     */
    public String forEach(String count, Step step) {
        OnnxGraph body = new OnnxGraph(prefix + "b" + bodies++ + "_");
        String number = body.prefix + "number";
        String goOn = body.prefix + "go_on";
        String before = body.prefix + "before";
        String after = body.node("SequenceInsert", List.of(before, step.write(body, number)));
        String stillGoOn = body.node("Identity", List.of(goOn));
        body.inputs.add(value(number, OnnxFields.DataType.INT64));
        body.inputs.add(value(goOn, OnnxFields.DataType.BOOL));
        body.inputs.add(floatSequence(before));
        body.outputs.add(value(stillGoOn, OnnxFields.DataType.BOOL));
        body.outputs.add(floatSequence(after));
        String results = node(
                "Loop",
                List.of(count, "", node("SequenceEmpty", List.of())),
                new Attribute("body", body.message("body")));
        return node("ConcatFromSequence", List.of(results), Attribute.of("axis", 0));
    }

    /**
     * A one-dimensional int64 constant.
     *
     * @param numbers its values
     * @return its name; equal constants share one
     */
    public String int64(long... numbers) {
        return constants.computeIfAbsent(Arrays.stream(numbers).boxed().toList(), key -> {
            ByteBuffer raw = ByteBuffer.allocate(numbers.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            raw.asLongBuffer().put(numbers);
            String name = prefix + "c" + constants.size();
            return inline(name, OnnxFields.DataType.INT64, raw.array(), List.of(numbers.length));
        });
    }

    /**
     * An fp32 constant.
     *
     * @param name its name
     * @param numbers its values
     * @param shape its sizes; none for a scalar
     * @return the name
     */
    public String floats(String name, float[] numbers, Integer... shape) {
        ByteBuffer raw = ByteBuffer.allocate(numbers.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(numbers);
        return inline(name, OnnxFields.DataType.FLOAT, raw.array(), List.of(shape));
    }

    /**
     * A tensor whose bytes travel with the graph.
     *
     * @param name its name
     * @param type one of {@link OnnxFields.DataType}
     * @param raw its numbers, little-endian
     * @param shape its sizes
     * @return the name
     */
    public String inline(String name, int type, byte[] raw, List<Integer> shape) {
        initializers.add(message(out -> {
            for (int size : shape) {
                out.writeInt64(OnnxFields.Tensor.DIMS, size);
            }
            out.writeInt32(OnnxFields.Tensor.DATA_TYPE, type);
            out.writeString(OnnxFields.Tensor.NAME, name);
            out.writeByteArray(OnnxFields.Tensor.RAW_DATA, raw);
        }));
        return name;
    }

    /**
     * A tensor whose bytes lie in a file.
     *
     * @param name its name
     * @param type one of {@link OnnxFields.DataType}
     * @param shape its sizes
     * @param location the file, relative to the folder the session is told
     * @param offset first byte
     * @param length bytes
     * @return the name
     */
    public String external(String name, int type, List<Integer> shape, String location, long offset, long length) {
        initializers.add(message(out -> {
            for (int size : shape) {
                out.writeInt64(OnnxFields.Tensor.DIMS, size);
            }
            out.writeInt32(OnnxFields.Tensor.DATA_TYPE, type);
            out.writeString(OnnxFields.Tensor.NAME, name);
            out.writeByteArray(OnnxFields.Tensor.EXTERNAL_DATA, entry("location", location));
            out.writeByteArray(OnnxFields.Tensor.EXTERNAL_DATA, entry("offset", Long.toString(offset)));
            out.writeByteArray(OnnxFields.Tensor.EXTERNAL_DATA, entry("length", Long.toString(length)));
            out.writeInt32(OnnxFields.Tensor.DATA_LOCATION, EXTERNAL);
        }));
        return name;
    }

    /** The whole model as bytes. */
    public byte[] toModel() {
        byte[] graph = message("encoder");
        return message(out -> {
            out.writeInt64(OnnxFields.Model.IR_VERSION, IR_VERSION);
            out.writeString(OnnxFields.Model.PRODUCER_NAME, "embed4j");
            out.writeByteArray(OnnxFields.Model.GRAPH, graph);
            out.writeByteArray(OnnxFields.Model.OPSET_IMPORT, opset("", OPSET));
            out.writeByteArray(OnnxFields.Model.OPSET_IMPORT, opset(MICROSOFT, 1));
        });
    }

    private byte[] message(String name) {
        return message(out -> {
            for (byte[] node : nodes) {
                out.writeByteArray(OnnxFields.Graph.NODE, node);
            }
            out.writeString(OnnxFields.Graph.NAME, name);
            for (byte[] initializer : initializers) {
                out.writeByteArray(OnnxFields.Graph.INITIALIZER, initializer);
            }
            for (byte[] input : inputs) {
                out.writeByteArray(OnnxFields.Graph.INPUT, input);
            }
            for (byte[] output : outputs) {
                out.writeByteArray(OnnxFields.Graph.OUTPUT, output);
            }
        });
    }

    private static byte[] nodeMessage(
            String operator, String domain, List<String> in, String outName, Attribute... attributes) {
        return message(out -> {
            for (String name : in) {
                out.writeString(OnnxFields.Node.INPUT, name);
            }
            out.writeString(OnnxFields.Node.OUTPUT, outName);
            out.writeString(OnnxFields.Node.NAME, operator + "_" + outName);
            out.writeString(OnnxFields.Node.OP_TYPE, operator);
            for (Attribute attribute : attributes) {
                out.writeByteArray(OnnxFields.Node.ATTRIBUTE, attributeMessage(attribute));
            }
            out.writeString(OnnxFields.Node.DOMAIN, domain);
        });
    }

    private static byte[] attributeMessage(Attribute attribute) {
        return message(out -> {
            out.writeString(OnnxFields.Attribute.NAME, attribute.name());
            if (attribute.value() instanceof Float number) {
                out.writeFloat(OnnxFields.Attribute.FLOAT, number);
                out.writeInt32(OnnxFields.Attribute.TYPE, ATTRIBUTE_IS_FLOAT);
            } else if (attribute.value() instanceof Long number) {
                out.writeInt64(OnnxFields.Attribute.INT, number);
                out.writeInt32(OnnxFields.Attribute.TYPE, ATTRIBUTE_IS_INT);
            } else if (attribute.value() instanceof byte[] graph) {
                out.writeByteArray(OnnxFields.Attribute.GRAPH, graph);
                out.writeInt32(OnnxFields.Attribute.TYPE, ATTRIBUTE_IS_GRAPH);
            } else if (attribute.value() instanceof List<?> numbers) {
                for (Object number : numbers) {
                    out.writeInt64(OnnxFields.Attribute.INTS, (Long) number);
                }
                out.writeInt32(OnnxFields.Attribute.TYPE, ATTRIBUTE_IS_INTS);
            } else {
                out.writeString(OnnxFields.Attribute.STRING, attribute.value().toString());
                out.writeInt32(OnnxFields.Attribute.TYPE, ATTRIBUTE_IS_STRING);
            }
        });
    }

    private static byte[] entry(String key, String value) {
        return message(out -> {
            out.writeString(OnnxFields.Entry.KEY, key);
            out.writeString(OnnxFields.Entry.VALUE, value);
        });
    }

    private static byte[] opset(String domain, int version) {
        return message(out -> {
            out.writeString(OnnxFields.Opset.DOMAIN, domain);
            out.writeInt64(OnnxFields.Opset.VERSION, version);
        });
    }

    private static byte[] value(String name, int type, String... dimensions) {
        byte[] shape = message(out -> {
            for (String dimension : dimensions) {
                out.writeByteArray(
                        OnnxFields.Value.DIMENSION,
                        message(inner -> inner.writeString(OnnxFields.Value.DIMENSION_NAME, dimension)));
            }
        });
        byte[] tensorType = message(out -> {
            out.writeInt32(OnnxFields.Value.ELEMENT_TYPE, type);
            out.writeByteArray(OnnxFields.Value.SHAPE, shape);
        });
        return message(out -> {
            out.writeString(OnnxFields.Value.NAME, name);
            out.writeByteArray(
                    OnnxFields.Value.TYPE,
                    message(inner -> inner.writeByteArray(OnnxFields.Value.TENSOR_TYPE, tensorType)));
        });
    }

    /** A sequence of fp32 tensors. */
    private static byte[] floatSequence(String name) {
        byte[] tensor = message(out -> out.writeByteArray(
                OnnxFields.Value.TENSOR_TYPE,
                message(inner -> inner.writeInt32(OnnxFields.Value.ELEMENT_TYPE, OnnxFields.DataType.FLOAT))));
        byte[] sequence = message(out -> out.writeByteArray(OnnxFields.Value.ELEMENTS, tensor));
        return message(out -> {
            out.writeString(OnnxFields.Value.NAME, name);
            out.writeByteArray(
                    OnnxFields.Value.TYPE,
                    message(inner -> inner.writeByteArray(OnnxFields.Value.SEQUENCE_TYPE, sequence)));
        });
    }

    /** Counts, then writes: a buffer that grows would hold the weights several times over. */
    private static byte[] message(Fields fields) {
        try {
            CodedOutputStream counter = CodedOutputStream.newInstance(OutputStream.nullOutputStream());
            fields.write(counter);
            byte[] bytes = new byte[counter.getTotalBytesWritten()];
            fields.write(CodedOutputStream.newInstance(bytes));
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException("Memory does not fail to be written.", e);
        }
    }
}
