// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.rivals;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.embed4j.bench.protocol.Rival;
import io.embed4j.bench.protocol.RivalWorker;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What one writes oneself in an afternoon: ONNX Runtime with its default options on the published graph, batches of 32
 * in the order of arrival, padded to their longest text, mean pooling and normalization in Java.
 */
final class OnnxRuntimeRival implements Rival {
    private static final int BATCH_ROWS = 32;
    private static final int MAX_TOKENS = 128;

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    private final HuggingFaceTokenizer tokenizer;

    private OnnxRuntimeRival() throws IOException, OrtException {
        try (InputStream model = resource("/all-minilm-l6-v2.onnx");
                InputStream tokenizerJson = resource("/all-minilm-l6-v2-tokenizer.json")) {
            session = environment.createSession(model.readAllBytes());
            // tokenizer.json as it stands pads every text to 128 tokens.
            tokenizer = HuggingFaceTokenizer.newInstance(
                    tokenizerJson,
                    Map.of("padding", "true", "truncation", "true", "maxLength", Integer.toString(MAX_TOKENS)));
        }
    }

    /** Takes nothing. */
    public static void main(String[] args) throws IOException {
        RivalWorker.serve(OnnxRuntimeRival::new);
    }

    private static InputStream resource(String name) throws FileNotFoundException {
        InputStream in = OnnxRuntimeRival.class.getResourceAsStream(name);
        if (in == null) {
            throw new FileNotFoundException(name + " is not on the class path.");
        }
        return in;
    }

    @Override
    public String engine() {
        return "ONNX Runtime " + environment.getVersion() + ", default session options";
    }

    @Override
    public float[][] embed(List<String> texts) {
        List<float[]> vectors = new ArrayList<>(texts.size());
        for (int from = 0; from < texts.size(); from += BATCH_ROWS) {
            try {
                embedBatch(texts.subList(from, Math.min(from + BATCH_ROWS, texts.size())), vectors);
            } catch (OrtException e) {
                throw new IllegalStateException(e);
            }
        }
        return vectors.toArray(float[][]::new);
    }

    private void embedBatch(List<String> texts, List<float[]> vectors) throws OrtException {
        Encoding[] rows = tokenizer.batchEncode(texts);
        int paddedTokens = rows[0].getIds().length; // S, the same for all rows
        LongBuffer ids = LongBuffer.allocate(rows.length * paddedTokens);
        LongBuffer mask = LongBuffer.allocate(rows.length * paddedTokens);
        LongBuffer types = LongBuffer.allocate(rows.length * paddedTokens);
        for (Encoding row : rows) {
            ids.put(row.getIds());
            mask.put(row.getAttentionMask());
            types.put(row.getTypeIds());
        }
        long[] shape = {rows.length, paddedTokens};
        try (OnnxTensor idTensor = OnnxTensor.createTensor(environment, ids.flip(), shape);
                OnnxTensor maskTensor = OnnxTensor.createTensor(environment, mask.flip(), shape);
                OnnxTensor typeTensor = OnnxTensor.createTensor(environment, types.flip(), shape);
                OrtSession.Result result = session.run(
                        Map.of("input_ids", idTensor, "attention_mask", maskTensor, "token_type_ids", typeTensor))) {
            OnnxTensor hidden = (OnnxTensor) result.get(0);
            int hiddenSize = (int) hidden.getInfo().getShape()[2];
            FloatBuffer values = hidden.getFloatBuffer();
            for (int row = 0; row < rows.length; row++) {
                vectors.add(
                        meanPool(values, row * paddedTokens * hiddenSize, rows[row].getAttentionMask(), hiddenSize));
            }
        }
    }

    /**
     * The mean of the vectors of the tokens that are no padding, made unit length.
     *
     * @param values [B, S, H]
     * @param from where the row begins in values
     * @param mask [S], 0 for padding
     * @param hiddenSize H
     */
    private static float[] meanPool(FloatBuffer values, int from, long[] mask, int hiddenSize) {
        float[] sum = new float[hiddenSize];
        for (int token = 0; token < mask.length; token++) {
            if (mask[token] != 0) {
                for (int i = 0; i < hiddenSize; i++) {
                    sum[i] += values.get(from + token * hiddenSize + i);
                }
            }
        }
        double square = 0; // the division of the mean cancels out in the normalization
        for (float value : sum) {
            square += (double) value * value;
        }
        float scale = (float) (1 / Math.sqrt(square));
        for (int i = 0; i < hiddenSize; i++) {
            sum[i] *= scale;
        }
        return sum;
    }

    @Override
    public void close() {
        tokenizer.close();
        try {
            session.close();
        } catch (OrtException e) {
            throw new IllegalStateException(e);
        }
    }
}
