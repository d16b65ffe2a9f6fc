// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.DeviceInfo;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderOptions;
import io.embed4j.EmbeddingIterator;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.InvalidTextException;
import io.embed4j.ModelInfo;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.SimilarityFunction;
import io.embed4j.TokenEmbeddings;
import io.embed4j.TruncationPolicy;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/**
 * Four numbers per text that tell texts apart: length, hash, prompt length, 1. A token is a word; two special tokens are
 * added; eight fit. Streams three texts at a time.
 */
final class FakeEmbedder implements Embedder {
    static final int DIMENSION = 4;
    static final int MAX_TOKENS = 8;

    /** A text that this model refuses. */
    static final String REFUSED = "refuse me";

    private static final int CHUNK_TEXTS = 3;

    private final EmbedderOptions options;

    FakeEmbedder(EmbedderOptions options) {
        this.options = options;
    }

    /** [D] of a text, the slow way for tests to compare with. */
    static float[] vector(String text, EmbedOptions options) {
        String ofRole = options.role() == null ? "" : options.role().promptName();
        String prompt = options.prompt() == null ? ofRole : options.prompt();
        float[] all = {text.length(), text.hashCode() / 3e9f, prompt.length() / 7f, 1};
        return options.dimension() == 0 ? all : java.util.Arrays.copyOf(all, options.dimension());
    }

    @Override
    public Embeddings embed(List<String> texts, EmbedOptions options) {
        return embed(texts, options, 0);
    }

    private static Embeddings embed(List<String> texts, EmbedOptions options, long firstIndex) {
        int dimension = options.dimension() == 0 ? DIMENSION : options.dimension();
        if (dimension > DIMENSION) {
            throw new IllegalArgumentException("The dimension " + dimension + " is larger than " + DIMENSION + ".");
        }
        float[] values = new float[texts.size() * dimension];
        int[] tokenCounts = new int[texts.size()];
        boolean[] truncated = new boolean[texts.size()];
        for (int row = 0; row < texts.size(); row++) {
            String text = texts.get(row);
            if (text.equals(REFUSED)) {
                throw new InvalidTextException(firstIndex + row, "Text " + (firstIndex + row) + " is refused.");
            }
            tokenCounts[row] = (int) Stream.of(text.split(" ", -1))
                            .filter(word -> !word.isEmpty())
                            .count()
                    + 2;
            truncated[row] = tokenCounts[row] > MAX_TOKENS && options.truncation() == TruncationPolicy.TRUNCATE;
            if (tokenCounts[row] > MAX_TOKENS && options.truncation() == TruncationPolicy.ERROR) {
                throw new InvalidTextException(
                        HelpTopic.TEXT_TOO_LONG,
                        firstIndex + row,
                        "Text " + (firstIndex + row) + " has " + tokenCounts[row] + " tokens.");
            }
            System.arraycopy(vector(text, options), 0, values, row * dimension, dimension);
        }
        return Embeddings.of(dimension, values, tokenCounts, truncated);
    }

    @Override
    public EmbeddingIterator stream(Iterator<String> texts, EmbedOptions options, ProgressListener progress) {
        return new EmbeddingIterator() {
            private long textsDone;
            private long tokensDone;

            @Override
            public boolean hasNext() {
                return texts.hasNext();
            }

            @Override
            public Embeddings next() {
                List<String> chunk = new ArrayList<>();
                while (chunk.size() < CHUNK_TEXTS && texts.hasNext()) {
                    chunk.add(texts.next());
                }
                Embeddings vectors = embed(chunk, options, textsDone);
                textsDone += vectors.size();
                for (int row = 0; row < vectors.size(); row++) {
                    tokensDone += vectors.tokenCount(row);
                }
                progress.onProgress(textsDone, tokensDone);
                return vectors;
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public CompletableFuture<Embeddings> embedAsync(List<String> texts, EmbedOptions options) {
        return CompletableFuture.completedFuture(embed(texts, options));
    }

    @Override
    public List<TokenEmbeddings> embedTokens(List<String> texts, EmbedOptions options) {
        throw new UnsupportedOperationException("the command does not use it");
    }

    @Override
    public int[] countTokens(List<String> texts, EmbedOptions options) {
        throw new UnsupportedOperationException("the command does not use it");
    }

    @Override
    public ModelInfo model() {
        return new ModelInfo(
                options.model(),
                "fake",
                DIMENSION,
                DIMENSION,
                1,
                MAX_TOKENS,
                0,
                Map.of(),
                null,
                SimilarityFunction.COSINE);
    }

    @Override
    public DeviceInfo device() {
        return new DeviceInfo("cpu", "cpu", "fake", "fake 1", 1, 1);
    }

    @Override
    public Precision precision() {
        return options.precision();
    }

    @Override
    public void resizeBudget(int maxBatchTokens) {
        throw new UnsupportedOperationException("the command does not use it");
    }

    @Override
    public void close() {}
}
