// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench;

import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Text to vectors with the embedded default, tokenizing included: texts per second in bulk, and one text at a time.
 *
 * <pre>
 * ./mvnw -q -Plauncher -pl embed-bench -am package
 * java -jar embed-bench/target/embed-bench.jar EncodeBenchmark
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(3)
@Warmup(iterations = 2, time = 3)
@Measurement(iterations = 5, time = 3)
public class EncodeBenchmark {
    private static final int BULK = 256;

    /** cpu or cuda:0. */
    @Param("cpu")
    public String device = "";

    /** Fewest and most tokens of a text. */
    @Param({"5-128", "16-16", "128-128", "256-256"})
    public String tokens = "";

    private Embedder embedder;
    private List<String> texts;

    /** For JMH, which fills the fields in {@link #open}. */
    @SuppressWarnings("NullAway.Init")
    public EncodeBenchmark() {}

    /** Loads the model and makes the texts. */
    @Setup
    public void open() {
        String[] range = tokens.split("-", 2);
        texts = BenchmarkTexts.make(BULK, Integer.parseInt(range[0]), Integer.parseInt(range[1]), 1);
        embedder = Embedder.builder().device(device).build();
    }

    /** Frees the model. */
    @TearDown
    public void close() {
        embedder.close();
    }

    /** All texts in one call. */
    @Benchmark
    @OperationsPerInvocation(BULK)
    public Embeddings bulk() {
        return embedder.embed(texts);
    }

    /** One text in one call. */
    @Benchmark
    public Embeddings single() {
        return embedder.embed(texts.get(0));
    }
}
