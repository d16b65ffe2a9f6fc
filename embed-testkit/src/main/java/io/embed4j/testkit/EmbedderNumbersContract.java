// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assertions.assertAll;

import io.embed4j.DeviceInfo;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import io.embed4j.TokenEmbeddings;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The numbers that every backend has to give: those of the reference, within the bar, whatever the batch. Part of
 * {@link EmbedderContract}.
 *
 * <p>Each test checks that the embedder really runs on the device and the engine that the backend's tests name, so that a
 * silent step down cannot pass.
 */
@SuppressWarnings("JUnitIncorrectMethodPropagation")
public abstract class EmbedderNumbersContract {
    /** No bar, but what has gone wrong altogether is below: tiny random models are harder than published ones. */
    private static final double MIN_QUANTIZED_COSINE = 0.9;

    private static final ParityTable TABLE = new ParityTable();

    private static final Map<String, Embeddings> TOGETHER = new ConcurrentHashMap<>();

    /** The id of the device under test, never {@code auto}. */
    protected abstract String device();

    /** What {@link DeviceInfo#engine()} begins with when the backend under test computes. */
    protected abstract String engine();

    /** The precisions that the device offers. */
    protected abstract List<Precision> precisions();

    /** The fixtures, for parameterized tests. */
    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    final Embedder open(Fixture fixture, Precision precision) {
        Embedder embedder = Embedder.builder()
                .model(fixture.model())
                .device(device())
                .precision(precision)
                .build();
        assertThat(embedder.device().id()).as("the device that runs").isEqualTo(device());
        assertThat(embedder.device().engine()).as("the engine that runs").startsWith(engine());
        assertThat(embedder.precision()).as("the precision that runs").isEqualTo(precision);
        return embedder;
    }

    final Embedder open(Fixture fixture) {
        return open(fixture, precisions().get(0));
    }

    @BeforeEach
    void deviceIsNamed() {
        assertThat(device()).isNotEqualTo("auto");
    }

    /** The vectors of a fixture's texts, embedded in one call: by the first test that asks, for an emulated device is slow. */
    private static Embeddings together(Fixture fixture, Embedder embedder) {
        return TOGETHER.computeIfAbsent(fixture + " " + embedder.precision(), key -> embedder.embed(fixture.texts()));
    }

    /** Precisions that the device offers for speed, without a bar on them but for the embedded default. */
    protected List<Precision> quantizedPrecisions() {
        return List.of();
    }

    /** The precisions in which a fixture runs: all, but fp16 for families that overflow it. */
    private List<Precision> precisions(Fixture fixture) {
        return precisions().stream()
                .filter(precision -> !(precision == Precision.FP16 && fixture.overflowsFp16()))
                .toList();
    }

    @AfterAll
    static void printTheTable() {
        TOGETHER.clear();
        TABLE.finish();
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void vectorsAreThoseOfTheReference(Fixture fixture) {
        // All precisions are tried and printed, also behind one that fails.
        assertAll(Stream.concat(precisions().stream(), quantizedPrecisions().stream())
                .map(precision -> () -> vectorsAreThoseOfTheReference(fixture, precision)));
    }

    private void vectorsAreThoseOfTheReference(Fixture fixture, Precision precision) {
        if (precision == Precision.FP16 && fixture.overflowsFp16()) {
            UnsupportedModelException refusal =
                    catchThrowableOfType(UnsupportedModelException.class, () -> open(fixture, precision));
            assertThat(refusal).hasMessageContainingAll("overflow fp16", "bf16", "fp32");
            TABLE.addRefused(fixture, device(), precision, String.valueOf(refusal.getMessage()));
            return;
        }
        try (Embedder embedder = open(fixture, precision)) {
            Embeddings vectors = together(fixture, embedder);
            assertThat(vectors.dimension()).isEqualTo(fixture.dimension());
            assertThat(embedder.model().maxTokens()).isEqualTo(fixture.maxTokens());
            Bar.Worst worst = new Bar.Worst();
            double smallest = 1;
            for (int row = 0; row < vectors.size(); row++) {
                worst.add(Bar.unitError(vectors.vector(row), fixture.vectors()[row]), "text " + row);
                smallest = Math.min(smallest, cosine(widen(vectors.vector(row)), fixture.vectors()[row]));
            }
            String what = device() + " " + fixture + " " + precision + ", one call";
            Optional<Fixture.Edges> edges = fixture.edges();
            Bar.Worst worstAtEdges = new Bar.Worst();
            if (edges.isPresent()) {
                smallest = Math.min(smallest, addEdges(edges.get(), embedder, worstAtEdges));
            }
            if (quantizedPrecisions().contains(precision)) {
                System.out.printf(Locale.ROOT, "%s: min cosine %.4f%n", what, smallest);
                TABLE.add(fixture, device(), precision, Double.NaN, smallest);
                assertThat(smallest).as("cosine of the worst text").isBetween(MIN_QUANTIZED_COSINE, 1.0);
                return;
            }
            Bar bar = Bar.of(fixture, precision);
            double share = worst.error() / bar.limit();
            double shareAtEdges = edges.map(
                            at -> worstAtEdges.error() / Bar.of(at, precision).limit())
                    .orElse(0.0);
            TABLE.add(fixture, device(), precision, Math.max(share, shareAtEdges), smallest);
            worst.mustPass(what, bar);
            edges.ifPresent(at -> worstAtEdges.mustPass(what + ", edges", Bar.of(at, precision)));
        }
    }

    /** Enters the errors of texts at edges; returns the smallest cosine. */
    private static double addEdges(Fixture.Edges edges, Embedder embedder, Bar.Worst worst) {
        Embeddings vectors = embedder.embed(edges.texts());
        double smallest = 1;
        for (int row = 0; row < vectors.size(); row++) {
            int tokens = edges.tokenCounts()[row];
            assertThat(vectors.tokenCount(row)).isEqualTo(tokens);
            worst.add(Bar.unitError(vectors.vector(row), edges.vectors()[row]), tokens + " tokens");
            smallest = Math.min(smallest, cosine(widen(vectors.vector(row)), edges.vectors()[row]));
        }
        return smallest;
    }

    /** One text fills a launch bucket by itself; the second one in a bucket is recorded on CUDA, the third replayed. */
    @ParameterizedTest
    @Tag("full")
    @MethodSource("fixtures")
    void textsAtEdgesAloneAreThoseOfTheReference(Fixture fixture) {
        Optional<Fixture.Edges> edges = fixture.edges();
        for (Precision precision : edges.isPresent() ? precisions(fixture) : List.<Precision>of()) {
            try (Embedder embedder = open(fixture, precision)) {
                Fixture.Edges at = edges.orElseThrow();
                Bar.Worst worst = new Bar.Worst();
                for (int i = 0; i < 2 * at.texts().size(); i++) {
                    int row = i % at.texts().size();
                    float[] vector = embedder.embed(at.texts().get(row)).vector(0);
                    worst.add(Bar.unitError(vector, at.vectors()[row]), at.tokenCounts()[row] + " tokens");
                }
                worst.mustPass(
                        device() + " " + fixture + " " + precision + ", edges, one by one", Bar.of(at, precision));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void lengthsAreThoseOfTheReferenceToo(Fixture fixture) {
        try (Embedder embedder = open(fixture)) {
            Embeddings vectors = together(fixture, embedder);
            Bar bar = Bar.of(fixture, embedder.precision());
            for (int row = 0; row < vectors.size(); row++) {
                assertThat(norm(vectors.vector(row)) / norm(fixture.vectors()[row]))
                        .as("length of text %s over the reference's", row)
                        .isBetween(1 - bar.limit(), 1 + bar.limit());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void oneByOneAndInAnotherOrderGiveTheSame(Fixture fixture) {
        for (Precision precision : precisions(fixture)) {
            try (Embedder embedder = open(fixture, precision)) {
                Embeddings together = together(fixture, embedder);
                Bar.Worst single = new Bar.Worst();
                for (int row = 0; row < together.size(); row += step(fixture)) {
                    float[] alone = embedder.embed(fixture.texts().get(row)).vector(0);
                    single.add(Bar.unitError(alone, widen(together.vector(row))), "text " + row);
                }
                single.mustPass(
                        device() + " " + fixture + " " + precision + ", single against batch",
                        Bar.of(fixture, precision));
                checkOrder(fixture, embedder, together, 0);
            }
        }
    }

    @ParameterizedTest
    @Tag("full")
    @MethodSource("fixtures")
    void inAnyOrderTheyAreTheSame(Fixture fixture) {
        for (Precision precision : precisions(fixture)) {
            try (Embedder embedder = open(fixture, precision)) {
                Embeddings together = together(fixture, embedder);
                for (int seed = 1; seed <= 5; seed++) {
                    checkOrder(fixture, embedder, together, seed);
                }
            }
        }
    }

    /** The embedded default is a thousand times as large as the others, and an emulated device slow: every fourth text will do. */
    private static int step(Fixture fixture) {
        return fixture.name().equals(Fixture.EMBEDDED_DEFAULT) ? 4 : 1;
    }

    private void checkOrder(Fixture fixture, Embedder embedder, Embeddings together, int seed) {
        List<Integer> order =
                new ArrayList<>(IntStream.range(0, together.size()).boxed().toList());
        Collections.shuffle(order, new Random(seed));
        Embeddings vectors =
                embedder.embed(order.stream().map(fixture.texts()::get).toList());
        Bar.Worst shuffled = new Bar.Worst();
        for (int i = 0; i < order.size(); i++) {
            int row = order.get(i);
            shuffled.add(Bar.unitError(vectors.vector(i), widen(together.vector(row))), "text " + row);
        }
        shuffled.mustPass(
                device() + " " + fixture + " " + embedder.precision() + ", shuffled against batch",
                Bar.of(fixture, embedder.precision()));
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void tokenIdsCountsAndTruncationAreThoseOfTheReference(Fixture fixture) {
        try (Embedder embedder = open(fixture)) {
            Embeddings vectors = together(fixture, embedder);
            List<TokenEmbeddings> tokens = embedder.embedTokens(fixture.texts());
            for (int row = 0; row < vectors.size(); row++) {
                int[] ids = tokens.get(row).tokens().stream()
                        .mapToInt(TokenEmbeddings.Token::id)
                        .toArray();
                assertThat(ids).as("token ids of text %s", row).isEqualTo(fixture.tokenIds(row));
                assertThat(vectors.tokenCount(row)).isEqualTo(fixture.tokenCount(row));
                assertThat(vectors.truncated(row)).isEqualTo(fixture.truncated(row));
                assertThat(tokens.get(row).tokenCount()).isEqualTo(fixture.tokenCount(row));
                assertThat(tokens.get(row).truncated()).isEqualTo(fixture.truncated(row));
            }
            assertThat(vectors.truncatedCount()).isEqualTo((int) IntStream.range(0, vectors.size())
                    .filter(fixture::truncated)
                    .count());
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void tokenVectorsAndOffsetsAreThoseOfTheReference(Fixture fixture) {
        for (Precision precision : precisions(fixture)) {
            try (Embedder embedder = open(fixture, precision)) {
                Bar.Worst worst = new Bar.Worst();
                for (Fixture.TokenVectors expected : fixture.tokenVectors()) {
                    String text = fixture.texts().get(expected.text());
                    TokenEmbeddings tokens = embedder.embedTokens(List.of(text)).get(0);
                    assertThat(tokens.size()).isEqualTo(expected.hidden().length);
                    for (int i = 0; i < tokens.size(); i++) {
                        TokenEmbeddings.Token token = tokens.tokens().get(i);
                        assertThat(new int[] {token.start(), token.end()})
                                .as("offsets of token %s of \"%s\"", i, text)
                                .isEqualTo(expected.offsets()[i]);
                        assertThat(token.word())
                                .as("word of token %s of \"%s\"", i, text)
                                .isEqualTo(expected.words()[i]);
                        worst.add(
                                Bar.relativeError(tokens.vector(i), expected.hidden()[i]),
                                "text " + expected.text() + " token " + i);
                    }
                }
                worst.mustPass(
                        device() + " " + fixture + " " + precision + ", tokens", Bar.ofTokens(fixture, precision));
            }
        }
    }

    /**
     * The same sentence twice, but for the word. They say what the bank is like: in plainer ones the model takes any bank
     * for one that lends (docs/models.md).
     */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            A heron stood on the muddy %s of the river.          | The %s gave us the money to buy a house.
            They pulled the boat onto the muddy %s of the river. | Without the %s he could not pay his workers.
            We had a picnic on the grassy %s of the river.       | She needed the %s to start her business.
            """)
    void aBankIsByTheRiverOrLendsMoney(String byTheRiver, String ofMoney) {
        try (Embedder embedder = open(Fixture.load(Fixture.EMBEDDED_DEFAULT))) {
            double[] river = wordVector(embedder, String.format(byTheRiver, "bank"), "bank");
            double[] shore = wordVector(embedder, String.format(byTheRiver, "shore"), "shore");
            double[] money = wordVector(embedder, String.format(ofMoney, "bank"), "bank");
            double[] loan = wordVector(embedder, String.format(ofMoney, "loan"), "loan");
            System.out.printf(
                    Locale.ROOT,
                    "%s: cosines of bank (river) and bank (money) %.3f; to shore %.3f and %.3f; to loan %.3f and %.3f%n",
                    device(),
                    cosine(river, money),
                    cosine(river, shore),
                    cosine(money, shore),
                    cosine(river, loan),
                    cosine(money, loan));
            assertThat(cosine(river, money)).isLessThan(0.9);
            assertThat(cosine(river, shore)).isGreaterThan(cosine(river, loan) + 0.05);
            assertThat(cosine(money, loan)).isGreaterThan(cosine(money, shore) + 0.05);
            assertThat(cosine(river, shore)).isGreaterThan(cosine(money, shore) + 0.05);
            assertThat(cosine(money, loan)).isGreaterThan(cosine(river, loan) + 0.05);
        }
    }

    private static double[] wordVector(Embedder embedder, String text, String word) {
        TokenEmbeddings tokens = embedder.embedTokens(List.of(text)).get(0);
        TokenEmbeddings.Word found = tokens.words().stream()
                .filter(candidate ->
                        text.substring(candidate.start(), candidate.end()).equals(word))
                .findFirst()
                .orElseThrow();
        return widen(tokens.vector(found));
    }

    private static double cosine(double[] left, double[] right) {
        double dot = 0;
        for (int i = 0; i < left.length; i++) {
            dot += left[i] * right[i];
        }
        return dot / norm(left) / norm(right);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert-h48-a2", "bert-h40-a5", Fixture.EMBEDDED_DEFAULT})
    void everyPoolingModeIsItsFormulaOverTheTokenVectors(String name) {
        Fixture fixture = Fixture.load(name);
        try (Embedder embedder = open(fixture)) {
            Bar bar = Bar.ofTokens(fixture, embedder.precision());
            List<String> texts = IntStream.iterate(
                            0, row -> row < fixture.texts().size(), row -> row + step(fixture))
                    .mapToObj(fixture.texts()::get)
                    .toList();
            List<TokenEmbeddings> tokens = embedder.embedTokens(texts);
            for (PoolingMode mode : PoolingMode.values()) {
                Bar.Worst worst = new Bar.Worst();
                EmbedOptions options = EmbedOptions.defaults().withPooling(PoolingSpec.of(mode));
                Embeddings vectors = embedder.embed(texts, options);
                for (int row = 0; row < vectors.size(); row++) {
                    worst.add(Bar.unitError(vectors.vector(row), pooled(tokens.get(row), mode)), "text " + row);
                }
                worst.mustPass(device() + " " + fixture + ", pooling " + mode, bar);
            }
            PoolingSpec both = PoolingSpec.of(PoolingMode.CLS, PoolingMode.MEAN);
            assertThat(embedder.embed("x", EmbedOptions.defaults().withPooling(both))
                            .dimension())
                    .isEqualTo(2 * embedder.model().hiddenSize());
        }
    }

    /** The formulas of sentence-transformers' Pooling, written once more. */
    private static double[] pooled(TokenEmbeddings tokens, PoolingMode mode) {
        double[] pooled = new double[tokens.hiddenSize()];
        int n = tokens.size();
        for (int d = 0; d < pooled.length; d++) {
            double sum = 0;
            double weighted = 0;
            double maximum = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < n; i++) {
                double value = tokens.vector(i)[d];
                sum += value;
                weighted += (i + 1) * value;
                maximum = Math.max(maximum, value);
            }
            pooled[d] = switch (mode) {
                case CLS -> tokens.vector(0)[d];
                case LAST_TOKEN -> tokens.vector(n - 1)[d];
                case MAX -> maximum;
                case MEAN -> sum / n;
                case MEAN_SQRT_LENGTH -> sum / Math.sqrt(n);
                case WEIGHTED_MEAN -> weighted / (n * (n + 1) / 2.0);
            };
        }
        return pooled;
    }

    static double[] widen(float[] vector) {
        double[] wide = new double[vector.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = vector[i];
        }
        return wide;
    }

    static double norm(float[] vector) {
        return norm(widen(vector));
    }

    static double norm(double[] vector) {
        return Math.sqrt(Arrays.stream(vector).map(x -> x * x).sum());
    }
}
