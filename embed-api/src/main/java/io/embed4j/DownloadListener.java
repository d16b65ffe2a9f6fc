// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * Hears how the download of a model proceeds. Called often and on threads of embed4j, one call at a time; a listener
 * that takes long holds the download up.
 *
 * <pre>{@code
 * DownloadListener listener = progress -> System.err.println(progress.bytesDone() + " of " + progress.bytes());
 * listener.onProgress(new DownloadProgress("BAAI/bge-small-en-v1.5", 3, 8, 40_000_000, 134_000_000));
 * }</pre>
 *
 * @since 0.1
 */
@FunctionalInterface
public interface DownloadListener {
    /** Hears nothing. */
    DownloadListener NONE = progress -> {};

    /**
     * Something arrived.
     *
     * @param progress what has arrived so far
     */
    void onProgress(DownloadProgress progress);
}
