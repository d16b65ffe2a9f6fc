// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Map;

/** A graph on DJL's OnnxRuntime engine. */
final class DjlSession implements EncoderSession {
    private final Model model;
    private final SessionOptions options;
    private final ParameterStore noParameters;

    private DjlSession(Model model, SessionOptions options) {
        this.model = model;
        this.options = options;
        this.noParameters = new ParameterStore(model.getNDManager(), false);
    }

    static DjlSession open(byte[] graph, SessionOptions options) {
        Model model = Model.newInstance("encoder", Device.cpu(), "OnnxRuntime");
        try {
            model.load(new ByteArrayInputStream(graph), Map.of("sessionOptions", options));
            return new DjlSession(model, options);
        } catch (IOException | MalformedModelException | RuntimeException e) {
            model.close();
            options.close();
            throw new EmbedException(
                    HelpTopic.ONNX_RUNTIME, "ONNX Runtime refuses the encoder's graph: " + rootMessage(e), e);
        }
    }

    private static String rootMessage(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return String.valueOf(root.getMessage());
    }

    @Override
    public List<FloatBuffer> run(Map<String, Tensor> inputs) {
        try (NDManager call = model.getNDManager().newSubManager()) {
            NDList arrays = new NDList();
            inputs.forEach((name, tensor) -> {
                DataType type = tensor.values() instanceof IntBuffer ? DataType.INT32 : DataType.FLOAT32;
                NDArray array = call.create(tensor.values(), new Shape(tensor.shape()), type);
                array.setName(name);
                arrays.add(array);
            });
            NDList outputs = model.getBlock().forward(noParameters, arrays, false);
            return outputs.stream()
                    .map(output -> output.toByteBuffer().asFloatBuffer())
                    .toList();
        }
    }

    @Override
    public void close() {
        model.close();
        options.close();
    }
}
