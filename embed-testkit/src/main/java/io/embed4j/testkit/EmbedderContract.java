// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DeviceInfo;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderClosedException;
import io.embed4j.EmbedderOptions;
import io.embed4j.Embeddings;
import io.embed4j.InvalidTextException;
import io.embed4j.ModelFormatException;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.TokenEmbeddings;
import io.embed4j.TruncationPolicy;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every backend has to pass. A backend's tests extend this class and say on which device they mean to run; each
 * test then checks that the embedder really runs there, so that a silent step down cannot pass.
 */
@SuppressWarnings("JUnitIncorrectMethodPropagation")
public abstract class EmbedderContract {

    /** The id of the device under test, never {@code auto}. */
    protected abstract String device();

    /** What {@link DeviceInfo#engine()} begins with when the backend under test computes. */
    protected abstract String engine();

    /** The precisions that the device offers. */
    protected abstract List<Precision> precisions();

    /** A precision that the device refuses. */
    protected abstract Precision refusedPrecision();

    /** The fixtures, for parameterized tests. */
    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    private Embedder open(Fixture fixture, Precision precision) {
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

    private Embedder open(Fixture fixture) {
        return open(fixture, precisions().get(0));
    }

    private Embedder openTiny() {
        return open(Fixture.load("bert-h48-a2"));
    }

    @BeforeEach
    void deviceIsNamed() {
        assertThat(device()).isNotEqualTo("auto");
    }

    // Numbers

    @ParameterizedTest
    @MethodSource("fixtures")
    void vectorsAreThoseOfTheReference(Fixture fixture) {
        for (Precision precision : precisions()) {
            try (Embedder embedder = open(fixture, precision)) {
                Embeddings vectors = embedder.embed(fixture.texts());
                assertThat(vectors.dimension()).isEqualTo(fixture.dimension());
                assertThat(embedder.model().maxTokens()).isEqualTo(fixture.maxTokens());
                Bar.Worst worst = new Bar.Worst();
                for (int row = 0; row < vectors.size(); row++) {
                    worst.add(Bar.unitError(vectors.vector(row), fixture.vectors()[row]), "text " + row);
                }
                worst.mustPass(device() + " " + fixture + " " + precision + ", one call", Bar.of(fixture, precision));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void lengthsAreThoseOfTheReferenceToo(Fixture fixture) {
        try (Embedder embedder = open(fixture)) {
            Embeddings vectors = embedder.embed(fixture.texts());
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
    void oneByOneAndInAnyOrderGiveTheSame(Fixture fixture) {
        for (Precision precision : precisions()) {
            try (Embedder embedder = open(fixture, precision)) {
                Bar.Worst single = new Bar.Worst();
                Bar.Worst shuffled = new Bar.Worst();
                double[][] together = new double[fixture.texts().size()][];
                Embeddings all = embedder.embed(fixture.texts());
                for (int row = 0; row < together.length; row++) {
                    together[row] = widen(all.vector(row));
                    String text = fixture.texts().get(row);
                    single.add(Bar.unitError(embedder.embed(text).vector(0), together[row]), "text " + row);
                }
                for (int seed = 0; seed < 5; seed++) {
                    List<Integer> order = new ArrayList<>(
                            IntStream.range(0, together.length).boxed().toList());
                    Collections.shuffle(order, new Random(seed));
                    Embeddings vectors = embedder.embed(
                            order.stream().map(fixture.texts()::get).toList());
                    for (int i = 0; i < together.length; i++) {
                        int row = order.get(i);
                        shuffled.add(Bar.unitError(vectors.vector(i), together[row]), "text " + row);
                    }
                }
                Bar bar = Bar.of(fixture, precision);
                single.mustPass(device() + " " + fixture + " " + precision + ", single against batch", bar);
                shuffled.mustPass(device() + " " + fixture + " " + precision + ", shuffled against batch", bar);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void tokenIdsCountsAndTruncationAreThoseOfTheReference(Fixture fixture) {
        try (Embedder embedder = open(fixture)) {
            Embeddings vectors = embedder.embed(fixture.texts());
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
        for (Precision precision : precisions()) {
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

    /** The last one does not pool the prompt's tokens. */
    @ParameterizedTest
    @ValueSource(strings = {"bert-h48-a2", "xlm-roberta-h48-a2", "bert-lasttoken-h32-a2"})
    void promptsAreThoseOfTheReference(String name) {
        Fixture fixture = Fixture.load(name);
        try (Embedder embedder = open(fixture)) {
            Bar.Worst worst = new Bar.Worst();
            for (Fixture.Prompted expected : fixture.prompted()) {
                String text = fixture.texts().get(expected.text());
                EmbedOptions byName = EmbedOptions.defaults().withPromptName(expected.promptName());
                Embeddings vectors = embedder.embed(text, byName);
                worst.add(Bar.unitError(vectors.vector(0), expected.vector()), "text " + expected.text());
                String prompt =
                        Objects.requireNonNull(embedder.model().prompts().get(expected.promptName()));
                assertThat(embedder.embed(text, EmbedOptions.defaults().withPrompt(prompt))
                                .vector(0))
                        .isEqualTo(vectors.vector(0));
            }
            worst.mustPass(device() + " " + fixture + ", prompts", Bar.of(fixture, embedder.precision()));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert-h48-a2", "bert-h40-a5", Fixture.EMBEDDED_DEFAULT})
    void everyPoolingModeIsItsFormulaOverTheTokenVectors(String name) {
        Fixture fixture = Fixture.load(name);
        try (Embedder embedder = open(fixture)) {
            Bar bar = Bar.ofTokens(fixture, embedder.precision());
            for (PoolingMode mode : PoolingMode.values()) {
                Bar.Worst worst = new Bar.Worst();
                EmbedOptions options = EmbedOptions.defaults().withPooling(PoolingSpec.of(mode));
                Embeddings vectors = embedder.embed(fixture.texts(), options);
                List<TokenEmbeddings> tokens = embedder.embedTokens(fixture.texts());
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

    // Options

    @Test
    void shorterVectorsAreTheLeadingNumbersNormalizedAgain() {
        try (Embedder embedder = openTiny()) {
            float[] full = embedder.embed("a ferry").vector(0);
            Embeddings shorter =
                    embedder.embed("a ferry", EmbedOptions.defaults().withDimension(10));
            assertThat(shorter.dimension()).isEqualTo(10);
            assertThat(norm(shorter.vector(0))).isBetween(1 - 1e-6, 1 + 1e-6);
            assertThat(Bar.unitError(shorter.vector(0), widen(Arrays.copyOf(full, 10))))
                    .isLessThan(1e-6);
            assertThatThrownBy(() -> embedder.embed("x", EmbedOptions.defaults().withDimension(49)))
                    .hasMessage("The output dimension 49 is larger than the model's vectors of 48.");
        }
    }

    @Test
    void normalizationCanBeSwitchedOffAndOn() {
        Fixture plain = Fixture.load("bert-h40-a5");
        try (Embedder embedder = open(plain)) {
            float[] asTheModelHasIt = embedder.embed("a ferry").vector(0);
            float[] unit = embedder.embed("a ferry", EmbedOptions.defaults().withNormalize(true))
                    .vector(0);
            assertThat(norm(asTheModelHasIt)).isGreaterThan(2);
            assertThat(norm(unit)).isBetween(1 - 1e-6, 1 + 1e-6);
            assertThat(Bar.unitError(unit, widen(asTheModelHasIt))).isLessThan(1e-6);
        }
        try (Embedder embedder = openTiny()) {
            EmbedOptions raw = EmbedOptions.defaults().withNormalize(false);
            assertThat(norm(embedder.embed("a ferry", raw).vector(0))).isGreaterThan(2);
        }
    }

    @Test
    void textsThatAreTooLongAreRefusedWhenAsked() {
        Fixture fixture = Fixture.load("bert-h48-a2");
        int tooLong =
                IntStream.range(0, 32).filter(fixture::truncated).findFirst().orElseThrow();
        try (Embedder embedder = open(fixture)) {
            EmbedOptions strict = EmbedOptions.defaults().withTruncation(TruncationPolicy.ERROR);
            assertThatThrownBy(
                            () -> embedder.embed(List.of("fine", fixture.texts().get(tooLong)), strict))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(1))
                    .hasMessage("Text 1 has " + fixture.tokenCount(tooLong) + " tokens; the model takes 40. Shorten it,"
                            + " or use the truncation policy TRUNCATE or CHUNK.");
            assertThat(embedder.embed("fine", strict).size()).isEqualTo(1);
        }
    }

    @Test
    void chunksAreTheMeanOfTheirVectorsWeightedByTokenCount() {
        // 38 tokens of text fit beside the two special ones; each of these words is one token.
        String first = String.join(" ", Collections.nCopies(38, "a"));
        String second = String.join(" ", Collections.nCopies(20, "q"));
        try (Embedder embedder = openTiny()) {
            EmbedOptions chunked = EmbedOptions.defaults().withTruncation(TruncationPolicy.CHUNK);
            Embeddings parts = embedder.embed(List.of(first, second));
            assertThat(List.of(parts.tokenCount(0), parts.tokenCount(1))).containsExactly(40, 22);
            double[] expected = new double[parts.dimension()];
            for (int d = 0; d < expected.length; d++) {
                expected[d] = 40.0 * parts.vector(0)[d] + 22.0 * parts.vector(1)[d];
            }
            Embeddings whole = embedder.embed(List.of(first + " " + second, first), chunked);
            assertThat(Bar.unitError(whole.vector(0), expected)).isLessThan(2e-6);
            assertThat(norm(whole.vector(0))).isBetween(1 - 1e-6, 1 + 1e-6);
            assertThat(whole.truncated(0)).isFalse();
            assertThat(Bar.unitError(whole.vector(1), widen(parts.vector(0)))).isLessThan(2e-6);
        }
    }

    @Test
    void anUnknownPromptNameListsTheKnownOnes() {
        try (Embedder embedder = openTiny()) {
            assertThatThrownBy(() -> embedder.embed("x", EmbedOptions.defaults().withPromptName("quarry")))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("no prompt named \"quarry\"", "query", "document");
        }
    }

    @Test
    void aSmallTokenBudgetChangesNothingAndTooSmallAOneIsRefused() {
        Fixture fixture = Fixture.load("bert-h48-a2");
        Embedder.Builder builder = Embedder.builder().model(fixture.model()).device(device());
        try (Embedder embedder = builder.maxBatchTokens(40).build()) {
            Embeddings vectors = embedder.embed(fixture.texts());
            Bar.Worst worst = new Bar.Worst();
            for (int row = 0; row < vectors.size(); row++) {
                worst.add(Bar.unitError(vectors.vector(row), fixture.vectors()[row]), "text " + row);
            }
            worst.mustPass(device() + " " + fixture + ", budget 40", Bar.of(fixture, embedder.precision()));
        }
        assertThatThrownBy(() -> builder.maxBatchTokens(39).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("39", "40", "Raise");
    }

    @Test
    void aPrecisionThatIsNotOfferedIsRefused() {
        Fixture fixture = Fixture.load("bert-h48-a2");
        assertThatThrownBy(() -> open(fixture, refusedPrecision()))
                .isInstanceOf(UnsupportedModelException.class)
                .hasMessageContainingAll(
                        refusedPrecision().toString(),
                        device(),
                        precisions().get(0).toString());
    }

    // Input

    @Test
    void noTextsGiveNoVectors() {
        try (Embedder embedder = openTiny()) {
            Embeddings none = embedder.embed(List.of());
            assertThat(none.size()).isZero();
            assertThat(none.dimension()).isEqualTo(48);
            assertThat(embedder.embedTokens(List.of())).isEmpty();
        }
    }

    @Test
    void aNullTextIsNamed() {
        try (Embedder embedder = openTiny()) {
            assertThatThrownBy(() -> embedder.embed(Arrays.asList("fine", null)))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(1))
                    .hasMessage("Text 1 is null. Use \"\" for an empty text.");
        }
    }

    @Test
    void aLoneSurrogateIsNamed() {
        try (Embedder embedder = openTiny()) {
            for (String broken : List.of("ab\uD83D", "\uDE00ab", "\uD83Dx")) {
                assertThatThrownBy(() -> embedder.embed(List.of("fine", "\uD83D\uDE00", broken)))
                        .isInstanceOfSatisfying(
                                InvalidTextException.class,
                                e -> assertThat(e.index()).isEqualTo(2))
                        .hasMessageContaining("lone surrogate U+D");
            }
        }
    }

    @Test
    void aMissingModelIsNamed() {
        assertThatThrownBy(() -> Embedder.builder()
                        .model("/no/such/model")
                        .device(device())
                        .build())
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("/no/such/model");
    }

    // Many calls

    @Test
    void manyThreadsGetTheirOwnVectors() throws Exception {
        Fixture fixture = Fixture.load("bert-h48-a2");
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try (Embedder embedder = open(fixture)) {
            List<Future<Bar.Worst>> calls = new ArrayList<>();
            for (int call = 0; call < 64; call++) {
                int seed = call;
                calls.add(threads.submit(() -> {
                    Random random = new Random(seed);
                    int[] rows = random.ints(1 + random.nextInt(12), 0, 32).toArray();
                    Embeddings vectors = embedder.embed(
                            Arrays.stream(rows).mapToObj(fixture.texts()::get).toList());
                    Bar.Worst worst = new Bar.Worst();
                    for (int i = 0; i < rows.length; i++) {
                        worst.add(Bar.unitError(vectors.vector(i), fixture.vectors()[rows[i]]), "text " + rows[i]);
                    }
                    return worst;
                }));
            }
            Bar.Worst worst = new Bar.Worst();
            for (Future<Bar.Worst> call : calls) {
                worst.addAll(call.get());
            }
            worst.mustPass(device() + " " + fixture + ", many threads", Bar.of(fixture, embedder.precision()));
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void streamsKeepOrderAndReportProgress() {
        Fixture fixture = Fixture.load("bert-h48-a2");
        int count = 1300;
        List<Long> progress = new ArrayList<>();
        ProgressListener listener = (texts, tokens) -> progress.add(texts);
        try (Embedder embedder = open(fixture)) {
            Iterator<String> texts = IntStream.range(0, count)
                    .mapToObj(i -> fixture.texts().get(i % 32))
                    .iterator();
            Iterator<Embeddings> vectors = embedder.stream(texts, EmbedOptions.defaults(), listener);
            Bar.Worst worst = new Bar.Worst();
            int row = 0;
            while (vectors.hasNext()) {
                Embeddings chunk = vectors.next();
                for (int i = 0; i < chunk.size(); i++, row++) {
                    worst.add(Bar.unitError(chunk.vector(i), fixture.vectors()[row % 32]), "row " + row);
                }
            }
            assertThat(row).isEqualTo(count);
            worst.mustPass(device() + " " + fixture + ", stream", Bar.of(fixture, embedder.precision()));
        }
        assertThat(progress).isSorted().last().isEqualTo((long) count);
    }

    @Test
    void aStreamNamesTheBrokenTextByItsPlaceInTheWhole() {
        try (Embedder embedder = openTiny()) {
            List<String> texts = new ArrayList<>(Collections.nCopies(1000, "x"));
            texts.set(777, "\uD800");
            Iterator<Embeddings> vectors =
                    embedder.stream(texts.iterator(), EmbedOptions.defaults(), ProgressListener.NONE);
            assertThatThrownBy(() -> vectors.forEachRemaining(chunk -> {}))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(777));
        }
    }

    @Test
    void backgroundCallsGiveTheSame() throws Exception {
        try (Embedder embedder = openTiny()) {
            List<CompletableFuture<Embeddings>> calls = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                calls.add(embedder.embedAsync(List.of("text " + i, "a ferry"), EmbedOptions.defaults()));
            }
            double[] expected = widen(embedder.embed("a ferry").vector(0));
            for (CompletableFuture<Embeddings> call : calls) {
                assertThat(Bar.unitError(call.get().vector(1), expected)).isLessThan(2e-6);
            }
            CompletableFuture<Embeddings> broken = embedder.embedAsync(List.of("\uD800"), EmbedOptions.defaults());
            assertThatThrownBy(broken::get).hasCauseInstanceOf(InvalidTextException.class);
            CompletableFuture<Embeddings> cancelled =
                    embedder.embedAsync(Collections.nCopies(5000, "never mind"), EmbedOptions.defaults());
            assertThat(cancelled.cancel(true)).isTrue();
            assertThat(embedder.embed("a ferry").size()).isEqualTo(1);
        }
    }

    // Life

    @Test
    void aClosedEmbedderSaysSo() {
        Embedder embedder = openTiny();
        embedder.close();
        embedder.close();
        assertThatThrownBy(() -> embedder.embed("x"))
                .isInstanceOf(EmbedderClosedException.class)
                .hasMessage("The embedder is closed. Build a new one.");
        assertThatThrownBy(() -> embedder.embedAsync(List.of("x"), EmbedOptions.defaults()))
                .isInstanceOf(EmbedderClosedException.class);
        assertThatThrownBy(() -> embedder.embedTokens(List.of("x"))).isInstanceOf(EmbedderClosedException.class);
    }

    @Test
    void closingDuringCallsFinishesOrFailsThem() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            for (int round = 0; round < 5; round++) {
                Embedder embedder = openTiny();
                List<Future<String>> calls = new ArrayList<>();
                for (int i = 0; i < 8; i++) {
                    calls.add(threads.submit(() -> {
                        try {
                            return "vectors "
                                    + embedder.embed(Collections.nCopies(300, "some text"))
                                            .size();
                        } catch (EmbedderClosedException e) {
                            return "closed";
                        }
                    }));
                }
                embedder.close();
                for (Future<String> call : calls) {
                    assertThat(call.get()).isIn("closed", "vectors 300");
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void sharedHandlesCountAndTheLastOneCloses() {
        EmbedderOptions options = EmbedderOptions.defaults()
                .withModel(Fixture.load("bert-h48-a2").model())
                .withDevice(device());
        Embedder first = Embedder.shared(options);
        Embedder second = Embedder.shared(options);
        double[] expected = widen(first.embed("a ferry").vector(0));
        first.close();
        first.close();
        assertThatThrownBy(() -> first.embed("x")).isInstanceOf(EmbedderClosedException.class);
        assertThat(Bar.unitError(second.embed("a ferry").vector(0), expected)).isLessThan(2e-6);
        second.close();
        try (Embedder third = Embedder.shared(options)) {
            assertThat(Bar.unitError(third.embed("a ferry").vector(0), expected))
                    .isLessThan(2e-6);
        }
    }

    private static double[] widen(float[] vector) {
        double[] wide = new double[vector.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = vector[i];
        }
        return wide;
    }

    private static double norm(float[] vector) {
        return norm(widen(vector));
    }

    private static double norm(double[] vector) {
        return Math.sqrt(Arrays.stream(vector).map(x -> x * x).sum());
    }
}
