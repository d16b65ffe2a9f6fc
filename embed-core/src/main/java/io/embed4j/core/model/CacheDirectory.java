// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where embed4j keeps what it unpacks: the system property {@code embed4j.cache} or the variable EMBED4J_CACHE, else
 * XDG_CACHE_HOME/embed4j, else ~/.cache/embed4j, else, where the home directory cannot be written, the temporary
 * directory.
 */
public final class CacheDirectory {
    private CacheDirectory() {}

    /**
     * Finds or makes the directory.
     *
     * @throws EmbedException if none of the places can be written
     */
    public static Path find() {
        List<Path> candidates = candidates();
        IOException last = null;
        for (Path candidate : candidates) {
            try {
                Files.createDirectories(candidate);
                if (Files.isWritable(candidate)) {
                    return candidate;
                }
            } catch (IOException e) {
                last = e;
            }
        }
        throw new EmbedException(
                HelpTopic.CACHE_DIRECTORY,
                "No cache directory can be written; tried " + candidates
                        + ". Set the system property embed4j.cache to a writable directory.",
                last);
    }

    /** The places in turn, for those who can say only later whether one will do. They need not exist. */
    public static List<Path> candidates() {
        String named = System.getProperty("embed4j.cache", System.getenv("EMBED4J_CACHE"));
        List<Path> candidates = new ArrayList<>();
        if (named != null && !named.isBlank()) {
            add(candidates, named, "");
        } else {
            addIfSet(candidates, System.getenv("XDG_CACHE_HOME"), "embed4j");
            addIfSet(candidates, System.getProperty("user.home"), ".cache/embed4j");
            addIfSet(candidates, System.getProperty("java.io.tmpdir"), "embed4j-" + System.getProperty("user.name"));
        }
        return candidates;
    }

    private static void addIfSet(List<Path> candidates, @Nullable String root, String below) {
        if (root != null && !root.isBlank()) {
            add(candidates, root, below);
        }
    }

    /** Java reads names in the locale's encoding: in an ASCII locale those of other characters are no paths. */
    private static void add(List<Path> candidates, String root, String below) {
        try {
            candidates.add(Path.of(root, below));
        } catch (InvalidPathException e) {
            throw new EmbedException(
                    HelpTopic.CACHE_DIRECTORY,
                    "The directory \"" + root + "\" is no path in the locale's encoding, "
                            + System.getProperty("sun.jnu.encoding") + ": " + e.getReason()
                            + ". Set LC_ALL=C.UTF-8, or the system property embed4j.cache to another directory.",
                    e);
        }
    }
}
