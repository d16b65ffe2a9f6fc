// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import com.google.gson.JsonObject;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.core.source.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;

/**
 * A snapshot in the cache, as it lies there. That a file is not there does not mean that the model has none: a Python
 * program may have fetched a part, and without modules.json a model gives vectors, but other ones. So a file counts as
 * absent only where somebody noted that: embed4j and Python under {@code .no_exist}, Python in a list of all files too.
 */
final class CachedFiles implements FileStore {
    private final HubName name;
    private final HubCache cache;
    private final String commit;
    private final Set<String> listed;
    private final Set<String> missing = new TreeSet<>();

    CachedFiles(HubName name, HubCache cache, String commit) {
        this.name = name;
        this.cache = cache;
        this.commit = commit;
        this.listed = listed(cache.listing(commit));
    }

    private static Set<String> listed(Path listing) {
        try {
            return Files.exists(listing)
                    ? JsonConfig.read(listing)
                            .optionalObject("files")
                            .map(JsonConfig::json)
                            .map(JsonObject::keySet)
                            .orElse(Set.of())
                    : Set.of();
        } catch (ModelFormatException e) {
            return Set.of(); // Python treats a damaged list as none, too
        }
    }

    @Override
    public String name() {
        return name.toString();
    }

    @Override
    public Path directory() {
        return cache.snapshot(commit);
    }

    /** A file of which nothing is known is said to be there, and missing. */
    @Override
    public boolean has(String path) {
        if (!canTell(path)) {
            missing.add(path);
        }
        return !isAbsent(path);
    }

    @Override
    public boolean canTell(String path) {
        return Files.exists(directory().resolve(path)) || isAbsent(path);
    }

    private boolean isAbsent(String path) {
        return !Files.exists(directory().resolve(path))
                && (Files.exists(cache.absence(commit, path)) || (!listed.isEmpty() && !listed.contains(path)));
    }

    @Override
    public void bring(Collection<String> paths) {
        paths.stream().filter(path -> !Files.exists(directory().resolve(path))).forEach(missing::add);
    }

    /** What was asked for and is not there. */
    Set<String> missing() {
        return missing;
    }
}
