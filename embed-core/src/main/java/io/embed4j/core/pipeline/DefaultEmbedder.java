// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import io.embed4j.DeviceInfo;
import io.embed4j.EmbedException;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderClosedException;
import io.embed4j.EmbeddingIterator;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.ModelInfo;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.TextRole;
import io.embed4j.TokenEmbeddings;
import io.embed4j.TruncationPolicy;
import io.embed4j.VectorRows;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.VectorBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pipeline of one model on one device: check, tokenize, schedule, put rows back in order. Calls tokenize on their
 * own threads; the {@link BatchScheduler} merges what they submit.
 */
public final class DefaultEmbedder implements Embedder {
    /** Texts that are tokenized together: enough to keep all cores busy, few enough not to keep the device waiting. */
    private static final int SLICE = EmbeddingStream.WINDOW;

    private static final Logger LOG = LoggerFactory.getLogger(DefaultEmbedder.class);

    private final ModelDefinition definition;
    private final ModelInfo model;
    private final DeviceInfo device;
    private final Precision precision;
    private final TextTokenizer tokenizer;
    private final Encoder encoder;
    private final BatchScheduler scheduler;
    private final BackgroundCalls background;
    private final Runnable release;
    private final AtomicBoolean open = new AtomicBoolean(true);
    private final AtomicBoolean noticed = new AtomicBoolean();

    /**
     * Puts the parts together; the embedder closes tokenizer and encoder.
     *
     * @param definition the model
     * @param device what the encoder runs on
     * @param precision what the encoder runs in
     * @param tokenizer the model's tokenizer
     * @param encoder the loaded encoder
     * @param release runs after all is closed
     */
    public DefaultEmbedder(
            ModelDefinition definition,
            DeviceInfo device,
            Precision precision,
            TextTokenizer tokenizer,
            Encoder encoder,
            Runnable release) {
        this.definition = definition;
        this.model = definition.info();
        this.device = device;
        this.precision = precision;
        this.tokenizer = tokenizer;
        this.encoder = encoder;
        this.scheduler = new BatchScheduler(
                encoder,
                definition.spec().hiddenSize(),
                definition.spec().embedding().positions());
        this.background = new BackgroundCalls(model.name());
        this.release = release;
    }

    @Override
    public Embeddings embed(List<String> texts, EmbedOptions options) {
        PooledSlices call = start(texts, options, 0, false);
        await(call.done());
        return call.result();
    }

    /** Starts texts that stand from {@code firstIndex} on in the user's call; their vectors may stay on the device too. */
    private PooledSlices start(List<String> texts, EmbedOptions options, long firstIndex, boolean stay) {
        if (options.role() == TextRole.DOCUMENT) {
            noticePromptsOfOtherNames();
        }
        OutputPlan plan = OutputPlan.of(definition.spec(), model, options);
        PooledSlices call = new PooledSlices(plan.request().dimension());
        try {
            int from = 0;
            do {
                List<String> slice = texts.subList(from, Math.min(texts.size(), from + SLICE));
                List<List<TokenizedText>> tokenized = tokenize(
                        slice, firstIndex + from, plan.prompt(), plan.includePrompt(), options.truncation(), false);
                call.add(new PooledCall(tokenized, plan.request()), part -> submit(part, stay));
                from += slice.size();
            } while (from < texts.size());
        } catch (RuntimeException | Error e) {
            call.cancelAll();
            throw e;
        }
        return call.complete();
    }

    /** sentence-transformers takes "document", which every model knows, and so never another name for the same. */
    private void noticePromptsOfOtherNames() {
        String used = TextRole.DOCUMENT.promptName();
        for (String other : List.of("passage", "corpus")) {
            if (model.prompts().getOrDefault(used, "").isEmpty()
                    && !model.prompts().getOrDefault(other, "").isEmpty()
                    && noticed.compareAndSet(false, true)) {
                LOG.warn(
                        "{} has a prompt \"{}\", but none for documents: like sentence-transformers' encode_document,"
                                + " TextRole.DOCUMENT puts nothing before texts. Use withPromptName(\"{}\") if the model"
                                + " was trained with it.",
                        model.name(),
                        other,
                        other);
            }
        }
    }

    private List<List<TokenizedText>> tokenize(
            List<String> texts,
            long firstIndex,
            String prompt,
            boolean includePrompt,
            TruncationPolicy policy,
            boolean withTokens) {
        requireOpen();
        for (int i = 0; i < texts.size(); i++) {
            TextTokenizer.check(texts.get(i), firstIndex + i);
        }
        List<List<TokenizedText>> tokenized =
                tokenizer.tokenize(texts, firstIndex, prompt, includePrompt, policy, withTokens);
        EmbeddingSpec tables = definition.spec().embedding();
        for (List<TokenizedText> pieces : tokenized) {
            for (TokenizedText piece : pieces) {
                requireBelow(tables.vocabularySize(), piece.ids(), "token id");
                if (tables.tokenTypes() > 0) {
                    requireBelow(tables.tokenTypes(), piece.typeIds(), "token type");
                }
            }
        }
        return tokenized;
    }

    /** With another model's tokenizer.json the encoder would read beyond its tables. */
    private void requireBelow(int rows, int[] ids, String what) {
        for (int id : ids) {
            if (id < 0 || id >= rows) {
                throw new ModelFormatException(
                        HelpTopic.TOKENIZER,
                        definition.tokenizerFile() + " gives the " + what + " " + id + ", but the model knows " + rows
                                + ". Is it the tokenizer of another model?");
            }
        }
    }

    private CompletableFuture<Void> submit(PooledCall call, boolean stay) {
        Optional<VectorBlock> room = stay && call.hasOneRowPerText() && call.texts() > 0
                ? encoder.room(call.texts(), call.request().dimension())
                : Optional.empty();
        EncodeJob job = call.start(room.map(SharedRoom::new).orElse(null));
        try {
            scheduler.submit(job);
        } catch (RuntimeException | Error e) {
            call.releaseRoom();
            throw e;
        }
        return job.done();
    }

    @Override
    public EmbeddingIterator stream(Iterator<String> texts, EmbedOptions options, ProgressListener progress) {
        EmbeddingStream windows = windows(texts, options, progress, false);
        return new EmbeddingIterator() {
            @Override
            public boolean hasNext() {
                return windows.hasNext();
            }

            @Override
            public Embeddings next() {
                return windows.next().result();
            }

            @Override
            public void close() {
                windows.close();
            }
        };
    }

    @Override
    public VectorRows embedRows(Iterator<String> texts, EmbedOptions options, ProgressListener progress) {
        int dimension =
                OutputPlan.of(definition.spec(), model, options).request().dimension();
        return new EmbeddedRows(
                dimension, DeviceId.parse(device.id()), stay -> windows(texts, options, progress, stay));
    }

    private EmbeddingStream windows(
            Iterator<String> texts, EmbedOptions options, ProgressListener progress, boolean stay) {
        EmbeddingStream.Start start = new EmbeddingStream.Start() {
            @Override
            public PooledSlices start(List<String> window, long firstIndex) {
                return DefaultEmbedder.this.start(window, options, firstIndex, stay);
            }

            @Override
            public void await(CompletableFuture<Void> done) {
                DefaultEmbedder.this.await(done);
            }
        };
        Encoder.Limits limits = encoder.limits();
        long busy = (long) limits.maxTokens() * limits.concurrentBatches();
        return new EmbeddingStream(texts, start, busy, progress);
    }

    @Override
    public CompletableFuture<Embeddings> embedAsync(List<String> texts, EmbedOptions options) {
        requireOpen();
        List<String> copy = new ArrayList<>(texts);
        return background.start(() -> {
            PooledSlices call = start(copy, options, 0, false);
            return new BackgroundCalls.Started<>(call.done(), call::result);
        });
    }

    @Override
    public List<TokenEmbeddings> embedTokens(List<String> texts, EmbedOptions options) {
        if (options.truncation() == TruncationPolicy.CHUNK) {
            throw new IllegalArgumentException(
                    "Token vectors cannot be merged over chunks. Use the truncation policy TRUNCATE or ERROR.");
        }
        EncoderSpec spec = definition.spec();
        List<TokenizedText> rows =
                tokenize(texts, 0, OutputPlan.prompt(model, options), true, options.truncation(), true).stream()
                        .map(pieces -> pieces.get(0))
                        .toList();
        float[][] hidden = new float[rows.size()][];
        EncodeJob job = new EncodeJob(
                rows,
                new OutputRequest.Tokens(List.of(spec.layers().size())),
                (row, values, from, length) -> hidden[row] = Arrays.copyOfRange(values, from, from + length));
        scheduler.submit(job);
        await(job.done());
        List<TokenEmbeddings> results = new ArrayList<>(rows.size());
        for (int row = 0; row < rows.size(); row++) {
            TokenizedText text = rows.get(row);
            results.add(new TokenEmbeddings(text.tokens(), spec.hiddenSize(), hidden[row], text.tokenCount()));
        }
        return results;
    }

    @Override
    public int[] countTokens(List<String> texts, EmbedOptions options) {
        requireOpen();
        String prompt = OutputPlan.prompt(model, options);
        int[] counts = new int[texts.size()];
        for (int from = 0; from < counts.length; from += SLICE) {
            List<String> slice = texts.subList(from, Math.min(counts.length, from + SLICE));
            int text = from;
            for (List<TokenizedText> pieces : tokenize(slice, from, prompt, true, TruncationPolicy.TRUNCATE, false)) {
                counts[text++] = pieces.get(0).tokenCount();
            }
        }
        return counts;
    }

    private void await(CompletableFuture<Void> done) {
        try {
            done.get();
        } catch (InterruptedException e) {
            done.cancel(false);
            Thread.currentThread().interrupt();
            throw new EmbedException(
                    HelpTopic.INTERRUPTED, "The call was interrupted; its texts were not embedded.", e);
        } catch (ExecutionException e) {
            throw rethrown(e.getCause());
        }
    }

    private static RuntimeException rethrown(@Nullable Throwable failure) {
        if (failure instanceof EmbedException known) {
            return known;
        }
        return new EmbedException("The texts could not be embedded: " + failure, failure);
    }

    private void requireOpen() {
        if (!open.get()) {
            throw new EmbedderClosedException("The embedder is closed. Build a new one.");
        }
    }

    @Override
    public ModelInfo model() {
        return model;
    }

    @Override
    public DeviceInfo device() {
        return device;
    }

    @Override
    public Precision precision() {
        return precision;
    }

    @Override
    public void resizeBudget(int maxBatchTokens) {
        requireOpen();
        if (maxBatchTokens < 1) {
            throw new IllegalArgumentException("maxBatchTokens must be positive, found " + maxBatchTokens + ".");
        }
        scheduler.pauseFor(() -> encoder.resizeBudget(maxBatchTokens));
    }

    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            background.close();
            scheduler.close();
            encoder.close();
            tokenizer.close();
            release.run();
        }
    }

    @Override
    public String toString() {
        return model.name() + " on " + device.id() + " in " + precision;
    }
}
