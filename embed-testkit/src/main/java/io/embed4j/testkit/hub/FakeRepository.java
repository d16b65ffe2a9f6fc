// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit.hub;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** A model's repository: branches, commits, files. */
final class FakeRepository {
    private static final String MAIN = "main";

    private final String name;
    private final Map<String, String> branches = new ConcurrentHashMap<>();
    private final Map<String, Map<String, FakeFile>> commits = new ConcurrentHashMap<>();
    private volatile @Nullable String token;

    FakeRepository(String name) {
        this.name = name;
    }

    String name() {
        return name;
    }

    String commit(String branch, Map<String, byte[]> contents) {
        Map<String, FakeFile> files = new TreeMap<>();
        contents.forEach((path, content) -> files.put(path, new FakeFile(path, content)));
        StringBuilder all = new StringBuilder(name + commits.size());
        files.values().forEach(file -> all.append(file.path()).append(file.etag()));
        String hash = new FakeFile("commit", all.toString().getBytes(StandardCharsets.UTF_8)).etag();
        commits.put(hash, files);
        branches.put(branch, hash);
        return hash;
    }

    void branch(String branch) {
        branches.put(branch, Objects.requireNonNull(branches.get(MAIN)));
    }

    void gate(String token) {
        this.token = token;
    }

    boolean admits(@Nullable String authorization) {
        return token == null || ("Bearer " + token).equals(authorization);
    }

    /** The commit of a branch, a tag or itself; null if there is none. */
    @Nullable
    String resolve(String revision) {
        return commits.containsKey(revision) ? revision : branches.get(revision);
    }

    Map<String, FakeFile> files(String commit) {
        return Objects.requireNonNull(commits.get(commit));
    }

    FakeFile blob(String etag) {
        return commits.values().stream()
                .flatMap(files -> files.values().stream())
                .filter(file -> file.etag().equals(etag))
                .findFirst()
                .orElseThrow();
    }
}
