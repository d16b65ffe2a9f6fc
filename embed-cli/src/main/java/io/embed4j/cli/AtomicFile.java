// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A file that appears under its name only when it is complete. It is written beside its target, brought to the disk and
 * then moved over the target in one step; closed without {@link #commit()} it leaves nothing.
 */
final class AtomicFile implements Closeable {
    private static final Set<Path> UNFINISHED = ConcurrentHashMap.newKeySet();

    private final Path target;
    private final Path unfinished;
    private final FileChannel channel;

    private AtomicFile(Path target, Path unfinished, FileChannel channel) {
        this.target = target;
        this.unfinished = unfinished;
        this.channel = channel;
    }

    /**
     * Creates the unfinished file, and so proves that its directory can be written to.
     *
     * @param target where the file shall appear; a symbolic link keeps pointing where it points
     */
    static AtomicFile create(Path target) throws IOException {
        Path file = target.toAbsolutePath();
        if (Files.isSymbolicLink(file)) {
            file = Files.exists(file) ? file.toRealPath() : file.resolveSibling(Files.readSymbolicLink(file));
        }
        // Not in the target's name: with a suffix, a long one would no longer be a legal name.
        Path unfinished = file.resolveSibling(".embed-" + UUID.randomUUID() + ".part");
        UNFINISHED.add(unfinished);
        FileChannel channel = FileChannel.open(unfinished, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        return new AtomicFile(file, unfinished, channel);
    }

    /** Deletes what is being written, for a process that is about to end. */
    static void deleteAllUnfinished() {
        UNFINISHED.forEach(AtomicFile::delete);
    }

    /** Where to write; empty at first. */
    FileChannel channel() {
        return channel;
    }

    /** Makes the file appear, replacing one of the same name. */
    void commit() throws IOException {
        channel.force(true);
        channel.close();
        Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        UNFINISHED.remove(unfinished);
        syncDirectory();
    }

    @Override
    public void close() throws IOException {
        try {
            channel.close();
        } finally {
            if (UNFINISHED.remove(unfinished)) {
                delete(unfinished);
            }
        }
    }

    /** Brings the new name to the disk as well, where the system lets a directory be opened. */
    private void syncDirectory() {
        Path directory = target.getParent();
        if (directory == null) {
            return;
        }
        try (FileChannel entries = FileChannel.open(directory, StandardOpenOption.READ)) {
            entries.force(true);
        } catch (IOException e) {
            // Windows, some network file systems: the file itself is safe.
        }
    }

    private static void delete(Path unfinished) {
        try {
            Files.deleteIfExists(unfinished);
        } catch (IOException e) {
            System.err.println("embed: " + unfinished + " could not be deleted: " + Reason.of(e));
        }
    }
}
