// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.HelpTopic;
import io.embed4j.VectorIndex;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The directory of an index that is being built. It is made at the beginning, which proves that it can be; if the index does not
 * come to be, all that was made goes again, and what was there before is as it was.
 */
final class UnfinishedIndex implements Closeable {
    private static final String LOCK = "lock";

    /** Those that nothing was saved of yet; later the end of the process is what a crash is, which a saved index bears. */
    private static final Set<UnfinishedIndex> BEGUN = ConcurrentHashMap.newKeySet();

    private final Path directory;

    /** Innermost first. */
    private final Deque<Path> made = new ArrayDeque<>();

    private @Nullable AtomicFile model;
    private byte @Nullable [] modelBefore;
    private boolean finished;

    private UnfinishedIndex(Path directory) {
        this.directory = directory;
    }

    /**
     * Makes the directory.
     *
     * @param directory of the index to be, which holds no index
     * @param model what its vectors are made with
     * @throws CliException if it cannot be made or written to
     */
    static UnfinishedIndex create(Path directory, IndexModel model) {
        UnfinishedIndex index = new UnfinishedIndex(directory);
        BEGUN.add(index);
        try {
            index.begin(model);
            return index;
        } catch (IOException e) {
            index.close();
            throw CliException.failed(
                    HelpTopic.CANNOT_WRITE, "Cannot write to --output " + directory + ": " + Reason.of(e), e);
        }
    }

    private void begin(IndexModel content) throws IOException {
        Deque<Path> missing = new ArrayDeque<>();
        for (Path at = directory.toAbsolutePath();
                at != null && Files.notExists(at, LinkOption.NOFOLLOW_LINKS);
                at = at.getParent()) {
            missing.push(at);
        }
        for (Path folder : missing) {
            try {
                Files.createDirectory(folder);
                made.push(folder);
            } catch (FileAlreadyExistsException e) {
                // Somebody else's, then; whether it is a directory shows below.
            }
        }
        Files.createDirectories(directory);
        model = content.begin(directory);
    }

    /**
     * Saves the index; from then on it stays.
     *
     * @param index what the directory is for
     * @throws CliException if the directory cannot be written to
     */
    void finish(VectorIndex index) {
        BEGUN.remove(this);
        try {
            commitModel();
        } catch (IOException e) {
            throw CliException.failed(
                    HelpTopic.CANNOT_WRITE, "Cannot write to --output " + directory + ": " + Reason.of(e), e);
        }
        index.save(directory);
        finished = true;
    }

    private void commitModel() throws IOException {
        Path file = IndexModel.file(directory);
        if (Files.exists(file)) {
            modelBefore = Files.readAllBytes(file);
        } else {
            made.push(file);
        }
        Path lock = directory.resolve(LOCK);
        if (Files.notExists(lock, LinkOption.NOFOLLOW_LINKS)) {
            made.push(lock);
        }
        if (model != null) {
            model.commit();
        }
    }

    /** Takes back all that was only begun, for a process that is about to end. */
    static void removeAll() {
        BEGUN.forEach(UnfinishedIndex::takeBack);
    }

    @Override
    public void close() {
        BEGUN.remove(this);
        if (!finished) {
            takeBack();
        }
    }

    private void takeBack() {
        try {
            if (model != null) {
                model.close();
            }
            if (modelBefore != null) {
                IndexModel.write(directory, modelBefore);
            }
            for (Path path : made) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            System.err.println("embed: not all of " + directory + " could be removed: " + Reason.of(e));
        }
    }
}
