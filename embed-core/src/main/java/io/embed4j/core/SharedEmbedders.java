// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core;

import io.embed4j.DeviceInfo;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderClosedException;
import io.embed4j.EmbedderOptions;
import io.embed4j.EmbeddingIterator;
import io.embed4j.Embeddings;
import io.embed4j.ModelInfo;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.TokenEmbeddings;
import io.embed4j.VectorRows;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;

/** One embedder per options and JVM; every handle counts, the last one to close frees the model. */
final class SharedEmbedders {
    private final Map<EmbedderOptions, Entry> entries = new HashMap<>();

    private static final class Entry {
        final Embedder embedder;
        int handles;

        Entry(Embedder embedder) {
            this.embedder = embedder;
        }
    }

    synchronized Embedder handle(EmbedderOptions options, Function<EmbedderOptions, Embedder> build) {
        Entry entry = entries.get(options);
        if (entry == null) {
            entry = new Entry(build.apply(options));
            entries.put(options, entry);
        }
        entry.handles++;
        return new Handle(options, entry.embedder);
    }

    private synchronized void release(EmbedderOptions options) {
        Entry entry = entries.get(options);
        if (entry != null && --entry.handles == 0) {
            entries.remove(options);
            entry.embedder.close();
        }
    }

    private final class Handle implements Embedder {
        private final EmbedderOptions options;
        private final Embedder shared;
        private final AtomicBoolean open = new AtomicBoolean(true);

        Handle(EmbedderOptions options, Embedder shared) {
            this.options = options;
            this.shared = shared;
        }

        private Embedder shared() {
            if (!open.get()) {
                throw new EmbedderClosedException("This handle on a shared embedder is closed. Ask for a new one.");
            }
            return shared;
        }

        @Override
        public Embeddings embed(List<String> texts, EmbedOptions call) {
            return shared().embed(texts, call);
        }

        @Override
        public EmbeddingIterator stream(Iterator<String> texts, EmbedOptions call, ProgressListener progress) {
            return shared().stream(texts, call, progress);
        }

        @Override
        public VectorRows embedRows(Iterator<String> texts, EmbedOptions call, ProgressListener progress) {
            return shared().embedRows(texts, call, progress);
        }

        @Override
        public CompletableFuture<Embeddings> embedAsync(List<String> texts, EmbedOptions call) {
            return shared().embedAsync(texts, call);
        }

        @Override
        public List<TokenEmbeddings> embedTokens(List<String> texts, EmbedOptions call) {
            return shared().embedTokens(texts, call);
        }

        @Override
        public int[] countTokens(List<String> texts, EmbedOptions call) {
            return shared().countTokens(texts, call);
        }

        @Override
        public ModelInfo model() {
            return shared.model();
        }

        @Override
        public DeviceInfo device() {
            return shared.device();
        }

        @Override
        public Precision precision() {
            return shared.precision();
        }

        @Override
        public void resizeBudget(int maxBatchTokens) {
            shared().resizeBudget(maxBatchTokens);
        }

        @Override
        public void close() {
            if (open.compareAndSet(true, false)) {
                release(options);
            }
        }
    }
}
