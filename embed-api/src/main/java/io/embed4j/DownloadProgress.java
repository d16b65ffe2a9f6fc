// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * How far a model's download has come. Counts what is needed and was not in the cache; what an earlier download left
 * unfinished counts as done.
 *
 * <pre>{@code
 * DownloadProgress progress = new DownloadProgress("BAAI/bge-small-en-v1.5", 3, 8, 40_000_000, 134_000_000);
 * if (progress.files() != 8) throw new AssertionError(progress);
 * }</pre>
 *
 * @param model the repository's name
 * @param filesDone files that are whole, checked and in the cache
 * @param files files to download
 * @param bytesDone bytes that have arrived
 * @param bytes bytes of all files to download
 * @since 0.1
 */
public record DownloadProgress(String model, int filesDone, int files, long bytesDone, long bytes) {}
