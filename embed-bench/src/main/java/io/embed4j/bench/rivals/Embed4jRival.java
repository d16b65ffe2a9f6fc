// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.rivals;

import ai.onnxruntime.OrtEnvironment;
import io.embed4j.Embedder;
import io.embed4j.Precision;
import io.embed4j.bench.protocol.Rival;
import io.embed4j.bench.protocol.RivalWorker;
import java.io.IOException;
import java.util.List;

/** This library, with the embedded default on the CPU. */
final class Embed4jRival implements Rival {
    private final Embedder embedder;

    private Embed4jRival(Precision precision) {
        embedder = Embedder.builder().device("cpu").precision(precision).build();
    }

    /** Takes the precision, fp32 or int8. */
    public static void main(String[] args) throws IOException {
        Precision precision = Precision.parse(args[0]);
        RivalWorker.serve(() -> new Embed4jRival(precision));
    }

    @Override
    public String engine() {
        return "ONNX Runtime " + OrtEnvironment.getEnvironment().getVersion() + ", precision " + embedder.precision();
    }

    @Override
    public float[][] embed(List<String> texts) {
        return embedder.embed(texts).toArray();
    }

    @Override
    public void close() {
        embedder.close();
    }
}
