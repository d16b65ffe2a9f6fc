// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A graph on ONNX Runtime's own API: for single texts, and for JVMs in which DJL's engine cannot start. */
final class DirectSession implements EncoderSession {
    private final OrtEnvironment environment;
    private final OrtSession session;
    private final SessionOptions options;

    private DirectSession(OrtEnvironment environment, OrtSession session, SessionOptions options) {
        this.environment = environment;
        this.session = session;
        this.options = options;
    }

    static DirectSession open(OrtEnvironment environment, byte[] graph, SessionOptions options) {
        try {
            return new DirectSession(environment, environment.createSession(graph, options), options);
        } catch (OrtException e) {
            options.close();
            throw new EmbedException(
                    HelpTopic.ONNX_RUNTIME, "ONNX Runtime refuses the encoder's graph: " + e.getMessage(), e);
        }
    }

    @Override
    public List<FloatBuffer> run(Map<String, Tensor> inputs) {
        Map<String, OnnxTensor> tensors = new HashMap<>();
        try {
            for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
                tensors.put(input.getKey(), tensor(input.getValue()));
            }
            try (OrtSession.Result result = session.run(tensors)) {
                List<FloatBuffer> outputs = new ArrayList<>();
                for (Map.Entry<String, OnnxValue> output : result) {
                    outputs.add(((OnnxTensor) output.getValue()).getFloatBuffer());
                }
                return outputs;
            }
        } catch (OrtException e) {
            throw new EmbedException("ONNX Runtime failed to run the encoder: " + e.getMessage(), e);
        } finally {
            tensors.values().forEach(OnnxTensor::close);
        }
    }

    private OnnxTensor tensor(Tensor tensor) throws OrtException {
        return tensor.values() instanceof IntBuffer ints
                ? OnnxTensor.createTensor(environment, ints, tensor.shape())
                : OnnxTensor.createTensor(environment, (FloatBuffer) tensor.values(), tensor.shape());
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
