// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DeviceInfo;
import io.embed4j.EmbedException;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderClosedException;
import io.embed4j.EmbeddingIterator;
import io.embed4j.Embeddings;
import io.embed4j.InvalidTextException;
import io.embed4j.ModelFormatException;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.TokenEmbeddings;
import io.embed4j.TruncationPolicy;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.Encoder;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the pipeline does around an encoder; the encoder's part is a fake. */
class DefaultEmbedderTest {
    private static final ModelDefinition MODEL =
            ModelLoader.load(Fixture.load("bert-h48-a2").model());

    @TempDir
    private Path folder;

    private final AtomicInteger released = new AtomicInteger();

    private static FakeEncoder encoder(Executor worker) {
        return new FakeEncoder(new Encoder.Limits(1000, 1_000_000, 1), 48, worker);
    }

    private Embedder embedder(ModelDefinition model, FakeEncoder encoder) {
        return new DefaultEmbedder(
                model,
                new DeviceInfo("cpu", "fake", "a fake", "none", 1, 1),
                Precision.FP32,
                TextTokenizer.load(model.tokenizerFile(), model.maxTokens(), model.lowerCase()),
                encoder,
                released::incrementAndGet);
    }

    /** The same model with something replaced in its tokenizer.json. */
    private ModelDefinition withTokenizer(String old, String replacement) throws IOException {
        String json = Files.readString(MODEL.tokenizerFile());
        assertThat(json).contains(old);
        return new ModelDefinition(
                MODEL.name(),
                MODEL.modelType(),
                MODEL.spec(),
                MODEL.weights(),
                Files.writeString(folder.resolve("tokenizer.json"), json.replace(old, replacement)),
                MODEL.maxTokens(),
                MODEL.lowerCase(),
                MODEL.prompts(),
                MODEL.defaultPromptName(),
                MODEL.similarity(),
                MODEL.dimension());
    }

    @Test
    void textsGetTheirOwnVectors() {
        List<String> texts = List.of("a ferry", "", "the quick brown fox", "a ferry");
        try (Embedder embedder = embedder(MODEL, encoder(Runnable::run));
                TextTokenizer tokenizer = TextTokenizer.load(MODEL.tokenizerFile(), MODEL.maxTokens(), false)) {
            Embeddings vectors = embedder.embed(texts);
            List<List<TokenizedText>> tokenized =
                    tokenizer.tokenize(texts, 0, "", true, TruncationPolicy.TRUNCATE, false);
            for (int row = 0; row < texts.size(); row++) {
                assertThat(vectors.vector(row))
                        .isEqualTo(FakeEncoder.pooled(tokenized.get(row).get(0), 48));
            }
            assertThat(embedder).hasToString("model on cpu in fp32");
        }
    }

    @Test
    void promptTokensAreLeftOutOfPoolingWhereTheModelSaysSo() {
        FakeEncoder encoder = encoder(Runnable::run);
        try (Embedder embedder = embedder(MODEL, encoder)) {
            int withoutPrompt = embedder.embed("a").tokenCount(0);
            EmbedOptions prompted = EmbedOptions.defaults().withPromptName("query");
            Embeddings vectors = embedder.embed(List.of("a"), prompted);
            assertThat(vectors.tokenCount(0)).isGreaterThan(withoutPrompt);
            assertThat(encoder.batches().get(1).poolStarts()).containsExactly(0);
            int promptTokens = vectors.tokenCount(0) - withoutPrompt;
            embedder.embed(List.of("a"), prompted.withPooling(new PoolingSpec(List.of(PoolingMode.MEAN), false)));
            assertThat(encoder.batches().get(2).poolStarts())
                    .as("[CLS] and the prompt")
                    .containsExactly(1 + promptTokens);
        }
    }

    @Test
    void anotherModelsTokenizerIsNoticed() throws IOException {
        ModelDefinition model = withTokenizer("\"ids\": [\n          2\n        ]", "\"ids\": [99999]");
        FakeEncoder encoder = encoder(Runnable::run);
        try (Embedder embedder = embedder(model, encoder)) {
            assertThatThrownBy(() -> embedder.embed("x"))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessage(model.tokenizerFile() + " gives the token id 99999, but the model knows 253. Is it the"
                            + " tokenizer of another model?");
            assertThatThrownBy(() -> embedder.embedTokens(List.of("x"))).isInstanceOf(ModelFormatException.class);
            assertThat(encoder.batches()).isEmpty();
        }
    }

    @Test
    void tokenTypesThatTheModelDoesNotHaveAreNoticed() throws IOException {
        ModelDefinition model =
                withTokenizer("\"id\": \"A\",\n          \"type_id\": 0", "\"id\": \"A\",\n          \"type_id\": 2");
        try (Embedder embedder = embedder(model, encoder(Runnable::run))) {
            assertThatThrownBy(() -> embedder.embed("x"))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("gives the token type 2, but the model knows 2.");
        }
    }

    @Test
    void anInterruptEndsTheCallAndDropsItsRows() throws Exception {
        Steps steps = new Steps();
        FakeEncoder encoder = new FakeEncoder(new Encoder.Limits(3, 1_000_000, 1), 48, steps);
        Embedder embedder = embedder(MODEL, encoder);
        CompletableFuture<String> outcome = new CompletableFuture<>();
        Thread caller = new Thread(() -> {
            try {
                embedder.embed(Collections.nCopies(100, "a"));
                outcome.complete("not interrupted");
            } catch (EmbedException e) {
                outcome.complete(Thread.currentThread().isInterrupted() + ": " + e.getMessage());
            }
        });
        caller.start();
        caller.interrupt();
        assertThat(outcome.get()).isEqualTo("true: The call was interrupted; its texts were not embedded.");
        steps.all();
        assertThat(encoder.batches()).as("only what was under way").hasSizeLessThanOrEqualTo(1);
        embedder.close();
    }

    @Test
    void aFailureOfTheEncoderReachesTheCaller() {
        EmbedException typed = new EmbedException("the device is gone");
        try (Embedder embedder = embedder(MODEL, encoder(Runnable::run).failing(batch -> typed))) {
            assertThatThrownBy(() -> embedder.embed("x")).isSameAs(typed);
        }
        IllegalStateException raw = new IllegalStateException("what?");
        try (Embedder embedder = embedder(MODEL, encoder(Runnable::run).failing(batch -> raw))) {
            assertThatThrownBy(() -> embedder.embed("x"))
                    .isInstanceOf(EmbedException.class)
                    .hasMessage("The texts could not be embedded: java.lang.IllegalStateException: what?")
                    .hasCause(raw);
        }
    }

    @Test
    void tokenVectorsCarryOffsetsAndCannotBeChunked() {
        try (Embedder embedder = embedder(MODEL, encoder(Runnable::run))) {
            String text = "a \uD83D\uDE00 b";
            TokenEmbeddings tokens =
                    embedder.embedTokens(List.of(text), EmbedOptions.defaults()).get(0);
            int place = tokens.size() - 2;
            TokenEmbeddings.Token last = tokens.tokens().get(place);
            assertThat(tokens.vector(place)).isEqualTo(FakeEncoder.token(last.id(), place, 48));
            assertThat(text.substring(last.start(), last.end())).isEqualTo("b");
            assertThat(tokens.tokens().get(0).special()).isTrue();
            assertThatThrownBy(() -> embedder.embedTokens(
                            List.of("x"), EmbedOptions.defaults().withTruncation(TruncationPolicy.CHUNK)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("Token vectors cannot be merged over chunks. Use the truncation policy TRUNCATE or"
                            + " ERROR.");
        }
    }

    @Test
    void aStreamPullsOneWindowAhead() {
        AtomicInteger taken = new AtomicInteger();
        Iterator<String> texts = new Iterator<>() {
            @Override
            public boolean hasNext() {
                return taken.get() < 1700;
            }

            @Override
            public String next() {
                taken.incrementAndGet();
                return "a";
            }
        };
        try (Embedder embedder = embedder(MODEL, encoder(Runnable::run))) {
            Iterator<Embeddings> vectors = embedder.stream(texts, EmbedOptions.defaults(), ProgressListener.NONE);
            assertThat(taken).hasValue(0);
            assertThat(vectors.next().size()).isEqualTo(512);
            assertThat(taken).hasValue(1024);
            assertThat(vectors.next().size()).isEqualTo(512);
            assertThat(taken).hasValue(1536);
            assertThat(vectors.next().size()).isEqualTo(512);
            assertThat(vectors.next().size()).isEqualTo(164);
            assertThat(vectors.hasNext()).isFalse();
            assertThatThrownBy(vectors::next)
                    .isInstanceOf(NoSuchElementException.class)
                    .hasMessage("All texts are embedded.");
        }
    }

    @Test
    void aWindowThatIsRefusedTakesNothingFromThoseBeforeIt() {
        List<String> texts = new ArrayList<>(Collections.nCopies(1100, "a"));
        texts.set(1030, null);
        try (Embedder embedder = embedder(MODEL, encoder(Runnable::run))) {
            Iterator<Embeddings> vectors =
                    embedder.stream(texts.iterator(), EmbedOptions.defaults(), ProgressListener.NONE);
            assertThat(vectors.next().size()).isEqualTo(512);
            assertThat(vectors.next().size()).isEqualTo(512);
            assertThatThrownBy(vectors::next)
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(1030));
        }
    }

    @Test
    void textsThatCannotBeReadTakeNothingFromThoseBeforeAndEndTheStream() {
        Iterator<String> texts = IntStream.range(0, 2000)
                .mapToObj(i -> {
                    if (i == 1030) {
                        throw new IllegalStateException("the source broke");
                    }
                    return "a";
                })
                .iterator();
        try (Embedder embedder = embedder(MODEL, encoder(Runnable::run));
                EmbeddingIterator vectors = embedder.stream(texts)) {
            assertThat(vectors.next().size()).isEqualTo(512);
            assertThat(vectors.next().size()).isEqualTo(512);
            assertThatThrownBy(vectors::next).hasMessage("the source broke");
            assertThat(vectors.hasNext()).isFalse();
            assertThatThrownBy(vectors::next)
                    .isInstanceOf(NoSuchElementException.class)
                    .hasMessage("The stream was closed, or has failed.");
        }
    }

    @Test
    void aStreamThatIsClosedEmbedsNoMore() {
        Steps steps = new Steps();
        FakeEncoder encoder = encoder(steps);
        try (Embedder embedder = embedder(MODEL, encoder)) {
            EmbeddingIterator vectors =
                    embedder.stream(Collections.nCopies(5000, "a").iterator());
            CompletableFuture<Embeddings> first = CompletableFuture.supplyAsync(vectors::next);
            while (!first.isDone()) {
                steps.all();
            }
            assertThat(first.join().size()).isEqualTo(512);
            vectors.close();
            int underWay = encoder.batches().size();
            steps.all();
            assertThat(encoder.batches()).as("no batch left after the close").hasSize(underWay);
            assertThat(vectors.hasNext()).isFalse();
        }
    }

    @Test
    void aLargeCallLeavesInSlicesAndComesBackInOrder() {
        FakeEncoder encoder = encoder(Runnable::run);
        List<String> texts =
                IntStream.range(0, 1300).mapToObj(i -> i % 2 == 0 ? "a" : "a b").toList();
        try (Embedder embedder = embedder(MODEL, encoder)) {
            Embeddings vectors = embedder.embed(texts);
            Embeddings alone = embedder.embed(List.of("a", "a b"));
            assertThat(vectors.size()).isEqualTo(1300);
            for (int i = 0; i < 1300; i++) {
                assertThat(vectors.vector(i)).isEqualTo(alone.vector(i % 2));
                assertThat(vectors.tokenCount(i)).isEqualTo(alone.tokenCount(i % 2));
            }
        }
    }

    @Test
    void aBadTextLateInALargeCallCancelsWhatHasLeft() {
        Steps steps = new Steps();
        FakeEncoder encoder = encoder(steps);
        List<String> texts = new ArrayList<>(Collections.nCopies(1100, "a"));
        texts.set(1030, "\uD800");
        try (Embedder embedder = embedder(MODEL, encoder)) {
            assertThatThrownBy(() -> embedder.embed(texts))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(1030));
            int underWay = encoder.batches().size();
            steps.all();
            assertThat(encoder.batches()).as("no batch left after the failure").hasSize(underWay);
        }
    }

    @Test
    void closingClosesEverythingOnce() {
        FakeEncoder encoder = encoder(Runnable::run);
        Embedder embedder = embedder(MODEL, encoder);
        embedder.close();
        embedder.close();
        assertThat(encoder.isClosed()).isTrue();
        assertThat(released).hasValue(1);
        assertThatThrownBy(() -> embedder.embed("x")).isInstanceOf(EmbedderClosedException.class);
    }
}
