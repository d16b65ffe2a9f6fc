// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.rivals;

import ai.onnxruntime.OrtEnvironment;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.onnx.allminilml6v2.AllMiniLmL6V2EmbeddingModel;
import dev.langchain4j.model.embedding.onnx.allminilml6v2q.AllMiniLmL6V2QuantizedEmbeddingModel;
import io.embed4j.bench.protocol.Rival;
import io.embed4j.bench.protocol.RivalWorker;
import java.io.IOException;
import java.util.List;

/**
 * LangChain4j's in-process model as its documentation uses it: the constructor without arguments, then
 * {@code embedAll}. It runs one text per session call, several at a time on an executor of its own.
 *
 * <p>Compiled against the artifacts alone; it runs on what the POM in rival-langchain4j resolves, which is what a user
 * of LangChain4j gets.
 */
final class LangChain4jRival implements Rival {
    private final EmbeddingModel model;

    private LangChain4jRival(EmbeddingModel model) {
        this.model = model;
    }

    /** Takes which model, fp32 or quantized. */
    public static void main(String[] args) throws IOException {
        switch (args[0]) {
            case "fp32" -> RivalWorker.serve(() -> new LangChain4jRival(new AllMiniLmL6V2EmbeddingModel()));
            case "quantized" ->
                RivalWorker.serve(() -> new LangChain4jRival(new AllMiniLmL6V2QuantizedEmbeddingModel()));
            default -> throw new IllegalArgumentException("Unknown model " + args[0] + ". Use fp32 or quantized.");
        }
    }

    @Override
    public String engine() {
        return "ONNX Runtime "
                + OrtEnvironment.getEnvironment().getVersion() + ", "
                + model.getClass().getSimpleName();
    }

    @Override
    public float[][] embed(List<String> texts) {
        List<TextSegment> segments = texts.stream().map(TextSegment::from).toList();
        return model.embedAll(segments).content().stream()
                .map(Embedding::vector)
                .toArray(float[][]::new);
    }

    @Override
    public void close() {
        // The model has no close; it lives as long as its class.
    }
}
