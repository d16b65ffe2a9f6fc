// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Objects;
import java.util.Optional;

/**
 * One model's part of the cache, laid out as Python's huggingface_hub does it:
 *
 * <pre>
 * models--org--name/refs/main                      the commit that the branch meant when we last asked
 * models--org--name/blobs/ETAG                     contents
 * models--org--name/snapshots/COMMIT/config.json   a link to its blob; a copy where there are no links
 * models--org--name/.no_exist/COMMIT/modules.json  empty: the commit has no such file
 * .locks/models--org--name/ETAG.lock
 * </pre>
 *
 * Every file appears under its name in one step, when it is whole and checked.
 */
final class HubCache {
    private final Path root;
    private final Path model;
    private final Path locks;
    private final boolean symbolicLinks;

    HubCache(HubSettings settings, HubName name) {
        String folder = "models--" + name.repository().replace("/", "--");
        this.root = settings.cache();
        this.symbolicLinks = settings.symbolicLinks();
        this.model = root.resolve(folder);
        this.locks = root.resolve(".locks").resolve(folder);
    }

    Path root() {
        return root;
    }

    Path snapshot(String commit) {
        return model.resolve("snapshots").resolve(commit);
    }

    Path blob(String etag) {
        return model.resolve("blobs").resolve(etag);
    }

    /** Where newer versions of Python note all files of a commit. */
    Path listing(String commit) {
        return model.resolve("trees").resolve(commit + ".json");
    }

    Path lock(String etag) {
        return locks.resolve(etag + ".lock");
    }

    /** Where a file that the commit does not have leaves its mark. */
    Path absence(String commit, String path) {
        return model.resolve(".no_exist").resolve(commit).resolve(path);
    }

    /** The commit that a revision meant when somebody last asked; what else stands there counts as nothing. */
    Optional<String> commit(String revision) {
        if (HubName.isCommit(revision)) {
            return Optional.of(revision);
        }
        try {
            Path ref = ref(revision);
            return Files.isRegularFile(ref)
                    ? Optional.of(Files.readString(ref, StandardCharsets.UTF_8).strip())
                            .filter(HubName::isCommit)
                    : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private Path ref(String revision) {
        return model.resolve("refs").resolve(revision);
    }

    /** Notes what a branch means, behind the files, so that Python finds no commit without a folder. */
    void note(String revision, String commit) {
        if (!revision.equals(commit) && !commit(revision).equals(Optional.of(commit))) {
            writing(() -> {
                Path ref = ref(revision);
                Path temporary = temporary(ref);
                Files.writeString(temporary, commit);
                move(temporary, ref);
            });
        }
    }

    /** Notes that a commit does not have a file. */
    void noteAbsence(String commit, String path) {
        Path mark = absence(commit, path);
        if (!Files.exists(mark)) {
            writing(() -> {
                Files.createDirectories(Objects.requireNonNull(mark.getParent()));
                try {
                    Files.createFile(mark);
                } catch (FileAlreadyExistsException e) {
                    // Another process was first.
                }
            });
        }
    }

    /** Lets a snapshot have a blob: by a link, or where the file system has none, as a copy. */
    void link(HubFile file) {
        Path pointer = snapshot(file.commit()).resolve(file.path());
        Path blob = blob(file.etag());
        if (Files.exists(pointer)) {
            return;
        }
        writing(() -> {
            Path folder = Objects.requireNonNull(pointer.getParent());
            Path temporary = temporary(pointer);
            if (!(symbolicLinks && isDone(() -> Files.createSymbolicLink(temporary, folder.relativize(blob))))
                    && !isDone(() -> Files.createLink(temporary, blob))) {
                Files.copy(blob, temporary);
            }
            move(temporary, pointer);
        });
    }

    /** Windows lets some users only make symbolic links, and has hard links. */
    private static boolean isDone(Writing linking) {
        try {
            linking.run();
            return true;
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    /** A name of its own beside a file, in a folder that is there. */
    private static Path temporary(Path file) throws IOException {
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        return file.resolveSibling(file.getFileName() + "." + Long.toHexString(System.nanoTime()) + "-"
                + ProcessHandle.current().pid() + ".tmp");
    }

    private static void move(Path temporary, Path file) throws IOException {
        try {
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /** Something that writes to the cache. */
    @FunctionalInterface
    interface Writing {
        void run() throws IOException;
    }

    void writing(Writing writing) {
        try {
            writing.run();
        } catch (IOException e) {
            throw new ModelDownloadException(
                    HelpTopic.CACHE_DIRECTORY,
                    "The model cache " + root + " cannot be written: " + e
                            + ". Make room, or set HF_HUB_CACHE to another directory.",
                    e);
        }
    }
}
