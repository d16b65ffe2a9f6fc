// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;

/** What people want to know of the cache of models: where it is, what it holds, where the rest would come from. */
public final class CacheSummary {
    private CacheSummary() {}

    /**
     * Looks at the cache. The Hub is not asked.
     *
     * @return a line
     * @throws ModelDownloadException if the cache cannot be read
     */
    public static String of(HubSettings settings) {
        Path cache = settings.cache();
        String from = settings.offline()
                ? "HF_HUB_OFFLINE is set, nothing is downloaded"
                : isWritable(cache)
                        ? "others are downloaded from " + settings.endpoint()
                                + (settings.token() == null ? "" : ", with the token in " + settings.tokenSource())
                        : "it cannot be written, so nothing is downloaded";
        return cache + "; models of the Hub: " + models(cache) + "; " + from;
    }

    private static long models(Path cache) {
        if (!Files.isDirectory(cache)) {
            return 0;
        }
        try (Stream<Path> folders = Files.list(cache)) {
            return folders.filter(folder -> String.valueOf(folder.getFileName()).startsWith("models--"))
                    .count();
        } catch (IOException e) {
            throw new ModelDownloadException(
                    HelpTopic.CACHE_DIRECTORY,
                    "The model cache " + cache + " cannot be read: " + e + ". Set HF_HUB_CACHE to another directory.",
                    e);
        }
    }

    /** Whether it, or the first of its parents that is there, can be written. */
    private static boolean isWritable(Path cache) {
        Path there = cache;
        while (!Files.exists(there)) {
            there = Objects.requireNonNull(there.getParent());
        }
        return Files.isDirectory(there) && Files.isWritable(there);
    }
}
