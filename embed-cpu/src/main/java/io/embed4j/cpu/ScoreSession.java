// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.core.file.OnnxFields;
import io.embed4j.cpu.graph.OnnxGraph;
import io.embed4j.cpu.graph.OnnxGraph.Attribute;
import io.embed4j.spec.DType;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Dot products of queries [Q, D] with rows [b, D] into scores [Q, b], in fp32, as one Gemm of ONNX Runtime. Rows of 16 bits
 * are cast on the way, while they are in the cache: memory is read at half the bytes.
 *
 * <p>Buffers are direct and go through as they are, which DJL's arrays do not; so this is ONNX Runtime's own API. Thread-safe:
 * each run is the calling thread's.
 */
final class ScoreSession implements AutoCloseable {
    private static final String QUERIES = "queries";
    private static final String ROWS = "rows";
    private static final String SCORES = "scores";

    private final DType storage;
    private final OrtEnvironment environment;
    private final OrtSession session;
    private final SessionOptions options;

    private ScoreSession(DType storage, OrtEnvironment environment, OrtSession session, SessionOptions options) {
        this.storage = storage;
        this.environment = environment;
        this.session = session;
        this.options = options;
    }

    /**
     * Opens a session.
     *
     * @param storage how rows are stored
     */
    static ScoreSession open(DType storage) {
        OrtEnvironment environment = OnnxRuntime.environment();
        SessionOptions options = OnnxRuntime.options(1);
        try {
            return new ScoreSession(storage, environment, environment.createSession(graph(storage), options), options);
        } catch (OrtException e) {
            options.close();
            throw new EmbedException(
                    HelpTopic.ONNX_RUNTIME, "ONNX Runtime refuses the index's graph: " + e.getMessage(), e);
        }
    }

    private static byte[] graph(DType storage) {
        OnnxGraph graph = new OnnxGraph();
        String queries = graph.input(QUERIES, OnnxFields.DataType.FLOAT, "Q", "D");
        String rows = graph.input(ROWS, onnxType(storage), "b", "D");
        if (storage != DType.FP32) {
            rows = graph.node("Cast", List.of(rows), Attribute.of("to", OnnxFields.DataType.FLOAT));
        }
        String scores = graph.node("Gemm", List.of(queries, rows), Attribute.of("transB", 1));
        graph.output(scores, SCORES, OnnxFields.DataType.FLOAT, "Q", "b");
        return graph.toModel();
    }

    private static int onnxType(DType storage) {
        return switch (storage) {
            case FP32 -> OnnxFields.DataType.FLOAT;
            case FP16 -> OnnxFields.DataType.FLOAT16;
            case BF16 -> OnnxFields.DataType.BFLOAT16;
            default -> throw new IllegalArgumentException("No index stores " + storage + ".");
        };
    }

    /**
     * Makes a tensor of queries, for any number of runs.
     *
     * @param queries [Q, D], direct, from its position to its limit
     * @param dimension D
     * @return the caller closes it
     */
    OnnxTensor queries(FloatBuffer queries, int dimension) {
        try {
            return OnnxTensor.createTensor(
                    environment, queries, new long[] {queries.remaining() / dimension, dimension});
        } catch (OrtException e) {
            throw failed(e);
        }
    }

    /**
     * Scores a block of rows.
     *
     * @param queries [Q, D]
     * @param rows [b, D] from the buffer's position to its limit, direct: floats, or the bytes of 16-bit numbers
     * @param count b
     * @param dimension D
     * @param scores gets [Q, b] at its position, direct
     */
    void run(OnnxTensor queries, Buffer rows, int count, int dimension, FloatBuffer scores) {
        long queryCount = queries.getInfo().getShape()[0];
        long[] shape = {queryCount, count};
        UntilTheEnd.finish(() -> {
            try (OnnxTensor rowTensor = rowTensor(rows, new long[] {count, dimension});
                    OnnxTensor scoreTensor = OnnxTensor.createTensor(
                            environment, scores.slice(scores.position(), (int) (queryCount * count)), shape);
                    OrtSession.Result result = session.run(
                            Map.of(QUERIES, queries, ROWS, rowTensor), Set.of(), Map.of(SCORES, scoreTensor))) {
                return result.size();
            } catch (OrtException e) {
                throw failed(e);
            }
        });
    }

    private OnnxTensor rowTensor(Buffer rows, long[] shape) throws OrtException {
        return switch (storage) {
            case FP16 -> OnnxTensor.createTensor(environment, (ByteBuffer) rows, shape, OnnxJavaType.FLOAT16);
            case BF16 -> OnnxTensor.createTensor(environment, (ByteBuffer) rows, shape, OnnxJavaType.BFLOAT16);
            default -> OnnxTensor.createTensor(environment, (FloatBuffer) rows, shape);
        };
    }

    private static EmbedException failed(OrtException e) {
        return new EmbedException("ONNX Runtime failed to score rows: " + e.getMessage(), e);
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw new EmbedException("ONNX Runtime failed to close a session: " + e.getMessage(), e);
        } finally {
            options.close();
        }
    }
}
