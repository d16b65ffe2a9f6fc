// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

/**
 * Field numbers of the ONNX protobuf messages that embed4j reads and writes.
 *
 * <p>Source: onnx.proto of <a href="https://onnx.ai/onnx/api/classes.html">ONNX</a>. Numbers never change once given.
 */
public final class OnnxFields {
    private OnnxFields() {}

    /** ModelProto. */
    public static final class Model {
        private Model() {}

        public static final int IR_VERSION = 1;
        public static final int PRODUCER_NAME = 2;
        public static final int GRAPH = 7;
        public static final int OPSET_IMPORT = 8;
    }

    /** OperatorSetIdProto. */
    public static final class Opset {
        private Opset() {}

        public static final int DOMAIN = 1;
        public static final int VERSION = 2;
    }

    /** GraphProto. */
    public static final class Graph {
        private Graph() {}

        public static final int NODE = 1;
        public static final int NAME = 2;
        public static final int INITIALIZER = 5;
        public static final int INPUT = 11;
        public static final int OUTPUT = 12;
    }

    /** NodeProto. */
    public static final class Node {
        private Node() {}

        public static final int INPUT = 1;
        public static final int OUTPUT = 2;
        public static final int NAME = 3;
        public static final int OP_TYPE = 4;
        public static final int ATTRIBUTE = 5;
        public static final int DOMAIN = 7;
    }

    /** AttributeProto. */
    public static final class Attribute {
        private Attribute() {}

        public static final int NAME = 1;
        public static final int FLOAT = 2;
        public static final int INT = 3;
        public static final int STRING = 4;
        public static final int GRAPH = 6;
        public static final int INTS = 8;
        public static final int TYPE = 20;
    }

    /** TensorProto. */
    public static final class Tensor {
        private Tensor() {}

        public static final int DIMS = 1;
        public static final int DATA_TYPE = 2;
        public static final int NAME = 8;
        public static final int RAW_DATA = 9;
        public static final int EXTERNAL_DATA = 13;
        public static final int DATA_LOCATION = 14;
    }

    /** StringStringEntryProto. */
    public static final class Entry {
        private Entry() {}

        public static final int KEY = 1;
        public static final int VALUE = 2;
    }

    /** ValueInfoProto, TypeProto, TypeProto.Tensor, TensorShapeProto and its Dimension, from the outside in. */
    public static final class Value {
        private Value() {}

        public static final int NAME = 1;
        public static final int TYPE = 2;
        public static final int TENSOR_TYPE = 1;
        public static final int SEQUENCE_TYPE = 4;
        /** Of a sequence's type: the type of its elements. */
        public static final int ELEMENTS = 1;

        public static final int ELEMENT_TYPE = 1;
        public static final int SHAPE = 2;
        public static final int DIMENSION = 1;
        public static final int DIMENSION_VALUE = 1;
        public static final int DIMENSION_NAME = 2;
    }

    /** TensorProto.DataType. */
    public static final class DataType {
        private DataType() {}

        public static final int FLOAT = 1;
        public static final int UINT8 = 2;
        public static final int INT8 = 3;
        public static final int INT32 = 6;
        public static final int INT64 = 7;
        public static final int BOOL = 9;
        public static final int FLOAT16 = 10;
        public static final int DOUBLE = 11;
        public static final int BFLOAT16 = 16;
    }
}
