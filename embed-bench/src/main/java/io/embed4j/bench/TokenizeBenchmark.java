// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench;

import io.embed4j.EmbedderOptions;
import io.embed4j.TruncationPolicy;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.core.text.TokenizedText;
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
 * Text to token ids with the embedded default's tokenizer: texts per second in bulk, on all cores, and one text at a time.
 *
 * <pre>
 * ./mvnw -q -Plauncher -pl embed-bench -am package
 * java -jar embed-bench/target/embed-bench.jar TokenizeBenchmark
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(3)
@Warmup(iterations = 2, time = 3)
@Measurement(iterations = 5, time = 3)
public class TokenizeBenchmark {
    private static final int BULK = 256;

    /** Fewest and most tokens of a text. */
    @Param({"5-128", "16-16", "128-128", "256-256"})
    public String tokens = "";

    private TextTokenizer tokenizer;
    private List<String> texts;
    private List<String> first;

    /** For JMH, which fills the fields in {@link #open}. */
    @SuppressWarnings("NullAway.Init")
    public TokenizeBenchmark() {}

    /** Loads the tokenizer and makes the texts. */
    @Setup
    public void open() {
        String[] range = tokens.split("-", 2);
        texts = BenchmarkTexts.make(BULK, Integer.parseInt(range[0]), Integer.parseInt(range[1]), 1);
        first = texts.subList(0, 1);
        ModelDefinition model = ModelLoader.load(EmbedderOptions.DEFAULT_MODEL);
        tokenizer = TextTokenizer.load(model.tokenizerFile(), model.maxTokens(), model.lowerCase());
    }

    /** Frees the tokenizer. */
    @TearDown
    public void close() {
        tokenizer.close();
    }

    /** All texts in one call. */
    @Benchmark
    @OperationsPerInvocation(BULK)
    public List<List<TokenizedText>> bulk() {
        return tokenize(texts);
    }

    /** One text in one call. */
    @Benchmark
    public List<List<TokenizedText>> single() {
        return tokenize(first);
    }

    private List<List<TokenizedText>> tokenize(List<String> some) {
        return tokenizer.tokenize(some, 0, "", true, TruncationPolicy.TRUNCATE, false);
    }
}
