// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * Hears of progress while texts are streamed. Called on the thread that pulls vectors.
 *
 * <pre>{@code
 * ProgressListener print = (texts, tokens) -> System.err.println(texts + " texts, " + tokens + " tokens");
 * try (Embedder embedder = Embedder.builder().build()) {
 *     embedder.stream(List.of("one", "two").iterator(), EmbedOptions.defaults(), print)
 *             .forEachRemaining(vectors -> System.out.println(vectors.size()));
 * }
 * }</pre>
 *
 * @since 0.1
 */
@FunctionalInterface
public interface ProgressListener {
    /** Hears nothing. */
    ProgressListener NONE = (texts, tokens) -> {};

    /**
     * More vectors are ready.
     *
     * @param texts texts embedded so far
     * @param tokens tokens embedded so far
     */
    void onProgress(long texts, long tokens);
}
