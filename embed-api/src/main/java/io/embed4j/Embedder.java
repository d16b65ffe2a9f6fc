// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.StreamSupport;

/**
 * Turns texts into vectors with one model on one device. Thread-safe: calls from many threads are merged into batches
 * without making a single call wait.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().build()) {
 *     Embeddings vectors = embedder.embed(List.of("a query", "a document"));
 *     float[] first = vectors.vector(0);
 *     if (first.length != 384) throw new AssertionError(first.length);
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface Embedder extends AutoCloseable {

    /**
     * Starts building an embedder.
     *
     * @return a builder with {@link EmbedderOptions#defaults()}
     */
    static Builder builder() {
        return new Builder();
    }

    /**
     * Returns the one embedder of this JVM for these options, built at the first call. Every call must be matched by a
     * {@link #close()}; the last one frees the model. Made for Spark and Flink, where many tasks share a JVM.
     *
     * @param options what to share
     * @return the shared embedder; throws what {@link Builder#build} throws
     */
    static Embedder shared(EmbedderOptions options) {
        return EmbedderFactory.find().shared(options);
    }

    /**
     * Embeds texts.
     *
     * @param texts B texts; may be empty
     * @param options options of this call
     * @return [B, D], in the order of the texts
     * @throws InvalidTextException if a text is null, malformed, without tokens, or too long under
     *     {@link TruncationPolicy#ERROR}
     * @throws EmbedderClosedException if the embedder is closed before the vectors are ready
     */
    Embeddings embed(List<String> texts, EmbedOptions options);

    /**
     * Embeds texts with default options.
     *
     * @param texts B texts; may be empty
     * @return [B, D], in the order of the texts
     */
    default Embeddings embed(List<String> texts) {
        return embed(texts, EmbedOptions.defaults());
    }

    /**
     * Embeds one text with default options.
     *
     * @param text the text
     * @return [1, D]
     */
    default Embeddings embed(String text) {
        return embed(text, EmbedOptions.defaults());
    }

    /**
     * Embeds one text.
     *
     * @param text the text
     * @param options options of this call
     * @return [1, D]
     */
    default Embeddings embed(String text, EmbedOptions options) {
        return embed(Collections.singletonList(text), options);
    }

    /**
     * Embeds any number of texts in constant memory: texts are pulled as vectors are, a few thousand ahead so that the device
     * never waits for them.
     *
     * @param texts the texts; read on the thread that pulls vectors
     * @param options options of this call
     * @param progress hears of texts and tokens done; {@link ProgressListener#NONE} for nobody
     * @return vectors in the order of the texts, some hundred at a time; an {@link InvalidTextException} carries the
     *     text's place in the whole stream. What {@code texts} throws comes when the vectors of the texts before are read.
     *     To be closed by who stops before the end
     */
    EmbeddingIterator stream(Iterator<String> texts, EmbedOptions options, ProgressListener progress);

    /**
     * Embeds any number of texts in constant memory, with default options.
     *
     * @param texts the texts; read on the thread that pulls vectors
     * @return as of {@link #stream(Iterator, EmbedOptions, ProgressListener)}
     */
    default EmbeddingIterator stream(Iterator<String> texts) {
        return stream(texts, EmbedOptions.defaults(), ProgressListener.NONE);
    }

    /**
     * Embeds texts as rows for a {@link VectorIndex}, which embeds them as it reads them, in constant memory. Where the index is
     * on the embedder's GPU, vectors go to it there, without a detour over the host.
     *
     * <pre>{@code
     * try (Embedder embedder = Embedder.builder().build();
     *         VectorIndex index = VectorIndex.create(embedder.dimension());
     *         VectorRows rows = embedder.embedRows(
     *                 List.of("a cat sleeps", "stock prices fell").iterator(), EmbedOptions.defaults(), ProgressListener.NONE)) {
     *     index.add(rows);
     *     if (index.size() != 2) throw new AssertionError();
     * }
     * }</pre>
     *
     * @param texts the texts
     * @param options options of this call
     * @param progress hears of texts and tokens done
     * @return [N, D] in the order of the texts; what {@link #stream(Iterator, EmbedOptions, ProgressListener)} throws, reading
     *     them throws. The caller closes them
     */
    default VectorRows embedRows(Iterator<String> texts, EmbedOptions options, ProgressListener progress) {
        Iterable<Embeddings> embedded = () -> stream(texts, options, progress);
        return VectorRows.of(
                options.dimension() > 0 ? options.dimension() : dimension(),
                StreamSupport.stream(embedded.spliterator(), false)
                        .flatMap(some -> Arrays.stream(some.toArray()))
                        .iterator());
    }

    /**
     * Embeds texts in the background. At most a bounded number of calls wait; a further one blocks until there is room.
     *
     * @param texts B texts
     * @param options options of this call
     * @return the vectors, or what {@link #embed(List, EmbedOptions)} throws; cancelling drops what has not begun
     */
    CompletableFuture<Embeddings> embedAsync(List<String> texts, EmbedOptions options);

    /**
     * Computes contextual token vectors with character offsets.
     *
     * @param texts B texts
     * @param options options of this call; prompt and truncation are honoured, pooling and dimension do not apply
     * @return one [n, H] per text
     * @throws InvalidTextException as for {@link #embed(List, EmbedOptions)}
     * @throws EmbedderClosedException as for {@link #embed(List, EmbedOptions)}
     */
    List<TokenEmbeddings> embedTokens(List<String> texts, EmbedOptions options);

    /**
     * Computes contextual token vectors with default options.
     *
     * @param texts B texts
     * @return one [n, H] per text
     */
    default List<TokenEmbeddings> embedTokens(List<String> texts) {
        return embedTokens(texts, EmbedOptions.defaults());
    }

    /**
     * Counts tokens as {@link #embed(List, EmbedOptions)} does, without computing vectors: for who cuts long texts where their
     * meaning allows it.
     *
     * @param texts B texts
     * @param options options of this call; only the prompt counts
     * @return [B] tokens of each text, special tokens and the prompt included, of a long text all of them; a text fits if
     *     it has at most {@link ModelInfo#maxTokens()}
     * @throws InvalidTextException if a text is null, malformed or without tokens
     * @throws EmbedderClosedException if the embedder is closed
     */
    int[] countTokens(List<String> texts, EmbedOptions options);

    /**
     * Counts tokens with default options.
     *
     * @param texts B texts
     * @return [B], as of {@link #countTokens(List, EmbedOptions)}
     */
    default int[] countTokens(List<String> texts) {
        return countTokens(texts, EmbedOptions.defaults());
    }

    /**
     * Compares all vectors of one result with all of another, by {@link ModelInfo#similarity()}. For many vectors use a
     * {@link VectorIndex}.
     *
     * @param a [A, D]
     * @param b [B, D]
     * @return [A][B]; larger is more alike
     */
    default double[][] similarity(Embeddings a, Embeddings b) {
        SimilarityFunction function = model().similarity();
        double[][] scores = new double[a.size()][b.size()];
        for (int i = 0; i < a.size(); i++) {
            float[] vector = a.vector(i);
            for (int j = 0; j < b.size(); j++) {
                scores[i][j] = function.between(vector, b.vector(j));
            }
        }
        return scores;
    }

    /**
     * Returns the length of the vectors.
     *
     * @return D
     */
    default int dimension() {
        return model().dimension();
    }

    /**
     * Returns what the model is.
     *
     * @return the model
     */
    ModelInfo model();

    /**
     * Returns what the model runs on.
     *
     * @return the device
     */
    DeviceInfo device();

    /**
     * Returns the precision the model runs in; never {@link Precision#AUTO}.
     *
     * @return the precision
     */
    Precision precision();

    /**
     * Changes the token budget, and takes or gives back the memory that goes with it: for an index that grows beside the
     * model, or room that has come. Calls that are in flight wait, and none of them fails; weights are not loaded again.
     * Whoever shares this embedder shares its budget.
     *
     * @param maxBatchTokens most tokens in one batch; at least the model's longest text
     * @throws IllegalArgumentException if the longest text would not go into a batch, or the budget is beyond all measure
     * @throws OutOfDeviceMemoryException if it does not fit; the budget stays as it was
     */
    void resizeBudget(int maxBatchTokens);

    /** Frees model and device memory. Calls under way finish or fail with {@link EmbedderClosedException}. */
    @Override
    void close();

    /**
     * Collects {@link EmbedderOptions} and builds.
     *
     * <pre>{@code
     * Embedder.Builder builder = Embedder.builder().device("cpu").precision(Precision.FP32).maxBatchTokens(1024);
     * try (Embedder embedder = builder.build()) {
     *     System.out.println(embedder.model());
     * }
     * }</pre>
     */
    final class Builder {
        private EmbedderOptions options = EmbedderOptions.defaults();
        private DownloadListener downloads = DownloadListener.NONE;

        private Builder() {}

        /**
         * Takes all options at once.
         *
         * @param options replaces what was set before
         * @return this
         */
        public Builder options(EmbedderOptions options) {
            this.options = options;
            return this;
        }

        /**
         * Names the model.
         *
         * @param model a directory in Hugging Face layout; {@code hf:ORG/NAME} or {@code hf:ORG/NAME@REVISION} for a
         *     model of the Hugging Face Hub, from Python's cache or downloaded to it; {@code classpath:FOLDER};
         *     {@code embedded:NAME}
         * @return this
         */
        public Builder model(String model) {
            return options(options.withModel(model));
        }

        /**
         * Names the model's directory.
         *
         * @param directory a directory in Hugging Face layout
         * @return this
         */
        public Builder model(Path directory) {
            return model(directory.toString());
        }

        /**
         * Names the device.
         *
         * @param device {@code auto}, {@code cpu}, {@code cuda:0}, {@code cuda:*}; only {@code auto} may step down
         * @return this
         */
        public Builder device(String device) {
            return options(options.withDevice(device));
        }

        /**
         * Sets the precision.
         *
         * @param precision precision of the computation
         * @return this
         */
        public Builder precision(Precision precision) {
            return options(options.withPrecision(precision));
        }

        /**
         * Sets the token budget of one batch.
         *
         * @param maxBatchTokens most tokens in one batch; 0 lets the backend choose
         * @return this
         */
        public Builder maxBatchTokens(int maxBatchTokens) {
            return options(options.withMaxBatchTokens(maxBatchTokens));
        }

        /**
         * Names who hears of what has to be downloaded.
         *
         * @param downloads the listener
         * @return this
         */
        public Builder onDownload(DownloadListener downloads) {
            this.downloads = downloads;
            return this;
        }

        /**
         * Sets how much memory choices leave free.
         *
         * @param memoryMargin share of a device's free memory, 0 to below 1
         * @return this
         */
        public Builder memoryMargin(double memoryMargin) {
            return options(options.withMemoryMargin(memoryMargin));
        }

        /**
         * Loads the model.
         *
         * @return the embedder; the caller closes it
         * @throws ModelDownloadException if the model has to be downloaded and cannot
         * @throws ModelFormatException if files are missing, damaged or contradictory
         * @throws UnsupportedModelException if the model or the precision cannot be honoured
         * @throws DeviceUnavailableException if the device cannot be used
         * @throws OutOfDeviceMemoryException if the model does not fit
         */
        public Embedder build() {
            return EmbedderFactory.find().open(options, downloads);
        }

        /**
         * Answers whether the model would fit, without loading its weights.
         *
         * @return the report
         * @throws ModelFormatException if files are missing, damaged or contradictory
         * @throws UnsupportedModelException if the model or the precision cannot be honoured
         * @throws DeviceUnavailableException if the device cannot be used
         */
        public FitReport fit() {
            return Fit.plan(options);
        }
    }
}
