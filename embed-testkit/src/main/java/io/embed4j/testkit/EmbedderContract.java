// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderClosedException;
import io.embed4j.EmbedderOptions;
import io.embed4j.Embeddings;
import io.embed4j.InvalidTextException;
import io.embed4j.ModelFormatException;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.TruncationPolicy;
import io.embed4j.UnsupportedModelException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * What every backend has to pass: the numbers, and how options, broken input, many calls and the end of life are treated.
 * A backend's tests extend this class and say on which device they mean to run.
 */
@SuppressWarnings("JUnitIncorrectMethodPropagation")
public abstract class EmbedderContract extends EmbedderSearchContract {

    /** A precision that the device refuses. */
    protected abstract Precision refusedPrecision();

    private Embedder openTiny() {
        return open(Fixture.load("bert-h48-a2"));
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
    void tokensAreCountedWithoutVectors() {
        Fixture fixture = Fixture.load("bert-h48-a2");
        try (Embedder embedder = open(fixture)) {
            int[] expected = IntStream.range(0, fixture.texts().size())
                    .map(fixture::tokenCount)
                    .toArray();
            assertThat(embedder.countTokens(fixture.texts())).containsExactly(expected);
            List<String> many = Collections.nCopies(1000, "a");
            assertThat(embedder.countTokens(many)).hasSize(1000).containsOnly(3);
            EmbedOptions prompted = EmbedOptions.defaults().withPrompt("q q ");
            assertThat(embedder.countTokens(List.of("a"), prompted))
                    .containsExactly(embedder.embed("a", prompted).tokenCount(0))
                    .containsExactly(5);
            assertThatThrownBy(() -> embedder.countTokens(Arrays.asList("fine", null)))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(1));
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
            assertThat(embedder.countTokens(List.of())).isEmpty();
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
    void theBudgetChangesWhileCallsAreInFlight() throws Exception {
        Fixture fixture = Fixture.load("bert-h48-a2");
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (Embedder embedder = open(fixture)) {
            List<Future<Embeddings>> calls = new ArrayList<>();
            for (int round = 0; round < 6; round++) {
                for (int call = 0; call < 8; call++) {
                    calls.add(threads.submit(() -> embedder.embed(fixture.texts())));
                }
                embedder.resizeBudget(new int[] {40, 3000, 64}[round % 3]);
            }
            Bar.Worst worst = new Bar.Worst();
            for (Future<Embeddings> call : calls) {
                for (int row = 0; row < fixture.texts().size(); row++) {
                    worst.add(Bar.unitError(call.get().vector(row), fixture.vectors()[row]), "text " + row);
                }
            }
            worst.mustPass(device() + " " + fixture + ", budgets", Bar.of(fixture, embedder.precision()));
            assertThatThrownBy(() -> embedder.resizeBudget(39))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("maxBatchTokens 39 is less than the model's longest text of 40 tokens");
            assertThatThrownBy(() -> embedder.resizeBudget(0)).isInstanceOf(IllegalArgumentException.class);
            assertThat(embedder.embed(fixture.texts()).size())
                    .isEqualTo(fixture.texts().size());
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
        assertThatThrownBy(() -> embedder.countTokens(List.of())).isInstanceOf(EmbedderClosedException.class);
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
}
