// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.index.IndexManifest.Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * An index in a directory: files of rows that are written once and never changed, and a manifest that names them.
 *
 * <p>A change writes new files, forces them to the disk, and then replaces the manifest in one step; only then are files
 * removed that it no longer names. Whoever opens the directory, and after whatever crash, sees the state before or after. One
 * writer at a time holds a lock; readers hold none.
 *
 * @param directory the real path
 * @param manifest what was read, or written last
 */
public record SavedIndex(Path directory, IndexManifest manifest) {
    private static final String MANIFEST = "manifest.json";
    private static final String UNFINISHED_MANIFEST = "manifest.json.part";
    private static final String LOCK = "lock";
    private static final String SEGMENT = "segment";
    private static final String DELETED = "deleted";

    /** Takes what a segment holds. */
    @FunctionalInterface
    interface SegmentVisitor {
        /** Rows in mapped pieces, their ids, how many they are. */
        void visit(List<FloatBuffer> vectors, RowIds.Labels labels, int rows);
    }

    /**
     * Finds a saved index and checks every byte of it.
     *
     * @param directory where it was saved
     * @throws ModelFormatException if there is none, or it is of another kind, cut or damaged
     */
    public static SavedIndex open(Path directory) {
        SavedIndex found = new SavedIndex(realPath(directory), readManifest(directory));
        try {
            found.files().forEach(entry -> SegmentFile.verify(found.path(entry), entry));
            return found;
        } catch (ModelFormatException e) {
            // A writer may have replaced the manifest and removed files of the old one since it was read.
            if (readManifest(directory).generation() != found.manifest().generation()) {
                return open(directory);
            }
            throw e;
        }
    }

    private static Path realPath(Path directory) {
        try {
            return directory.toRealPath();
        } catch (IOException e) {
            return directory.toAbsolutePath();
        }
    }

    private Stream<Entry> files() {
        return Stream.concat(manifest.segments().stream(), manifest.deleted().stream());
    }

    private Path path(Entry entry) {
        return directory.resolve(entry.file());
    }

    private static IndexManifest readManifest(Path directory) {
        Path file = directory.resolve(MANIFEST);
        try {
            return IndexManifest.parse(file, Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            throw new ModelFormatException(
                    HelpTopic.INDEX_FILE,
                    directory + " holds no index: " + MANIFEST
                            + " is missing. Name a directory that an index was saved to.",
                    e);
        } catch (IOException e) {
            throw new ModelFormatException(HelpTopic.INDEX_FILE, file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** Rows that are gone. */
    BitSet deletedRows() {
        return manifest.deleted()
                .map(entry -> SegmentFile.readDeleted(path(entry), entry, manifest.rows()))
                .orElseGet(BitSet::new);
    }

    /** Hands over all segments in order. */
    void forEachSegment(SegmentVisitor visitor) {
        for (Entry segment : manifest.segments()) {
            SegmentFile.read(path(segment), segment, manifest, visitor);
        }
    }

    /**
     * Saves an index: what is new, if this is where it was saved before, else all of it.
     *
     * @param directory made if it is not there
     * @param content the index
     * @param before where it was loaded from or saved last
     * @return what is there now
     * @throws EmbedException if it cannot be written, or somebody else has changed it since
     */
    static SavedIndex save(Path directory, IndexContent content, @Nullable SavedIndex before) {
        try {
            Files.createDirectories(directory);
            Path real = directory.toRealPath();
            try (FileChannel channel =
                    FileChannel.open(real.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                lock(channel, real);
                return saveLocked(real, content, before);
            }
        } catch (IOException e) {
            throw notSaved(directory, e);
        }
    }

    /**
     * Writes an index anew without its deleted rows: a change in one step like every other. The rows behind them get lower
     * numbers; ids stay.
     *
     * @param directory where it was saved
     * @return how many rows were left out
     * @throws ModelFormatException if there is no index, or a damaged one
     * @throws EmbedException if it cannot be written
     */
    public static int compact(Path directory) {
        open(directory);
        try {
            Path real = directory.toRealPath();
            try (FileChannel channel =
                    FileChannel.open(real.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                lock(channel, real);
                return compactLocked(open(real));
            }
        } catch (IOException e) {
            throw notSaved(directory, e);
        }
    }

    private static int compactLocked(SavedIndex old) throws IOException {
        BitSet deleted = old.deletedRows();
        if (deleted.isEmpty()) {
            return 0;
        }
        IndexContent content = LiveRows.of(old, deleted);
        long generation = old.manifest().generation() + 1;
        change(old.directory(), generation, () -> {
            Path file = old.directory().resolve(fileName(SEGMENT, generation));
            List<Entry> segments = content.rows() == 0 ? List.of() : List.of(SegmentFile.write(file, content, 0));
            return new IndexManifest(
                    generation,
                    content.dimension(),
                    content.similarity(),
                    content.stringIds(),
                    segments,
                    Optional.empty());
        });
        return deleted.cardinality();
    }

    private static EmbedException notSaved(Path directory, IOException cause) {
        return new EmbedException(
                HelpTopic.CANNOT_WRITE,
                "The index could not be saved to " + directory + ": " + cause
                        + ". Name a writable directory with room.",
                cause);
    }

    /** Closing the channel gives the lock back, and so does the end of the process. */
    private static void lock(FileChannel channel, Path directory) throws IOException {
        try {
            FileLock unused = channel.lock();
        } catch (OverlappingFileLockException e) {
            throw new IOException("another index of this JVM is being saved to " + directory, e);
        }
    }

    private static SavedIndex saveLocked(Path directory, IndexContent content, @Nullable SavedIndex before)
            throws IOException {
        boolean known = before != null && before.directory().equals(directory);
        IndexManifest old = Files.exists(directory.resolve(MANIFEST)) ? readManifest(directory) : null;
        if (known && before != null && !before.manifest().equals(old)) {
            throw new EmbedException(
                    HelpTopic.INDEX_FILE,
                    "The index in " + directory + " was changed since it was loaded: it is of generation "
                            + (old == null ? "none" : old.generation()) + ", this one of "
                            + before.manifest().generation() + ". Load it again, or save to another directory.");
        }
        long generation = old == null ? 1 : old.generation() + 1;
        List<Entry> segments = new ArrayList<>(known && old != null ? old.segments() : List.of());
        Optional<Entry> deleted = known && old != null ? old.deleted() : Optional.empty();
        int saved = segments.stream().mapToInt(Entry::rows).sum();
        boolean unchanged = known
                && saved == content.rows()
                && deleted.map(Entry::rows).orElse(0) == content.deleted().cardinality();
        if (unchanged && before != null) {
            return before;
        }
        return change(directory, generation, () -> {
            if (content.rows() > saved) {
                Path file = directory.resolve(fileName(SEGMENT, generation));
                segments.add(SegmentFile.write(file, content, saved));
            }
            Optional<Entry> nowDeleted = deleted;
            if (deleted.map(Entry::rows).orElse(0) != content.deleted().cardinality()) {
                Path file = directory.resolve(fileName(DELETED, generation));
                nowDeleted = Optional.of(SegmentFile.writeDeleted(file, content.deleted()));
            }
            return new IndexManifest(
                    generation,
                    content.dimension(),
                    content.similarity(),
                    content.stringIds(),
                    List.copyOf(segments),
                    nowDeleted);
        });
    }

    /** Writes the files of a generation and says what is there then. */
    @FunctionalInterface
    private interface Change {
        IndexManifest write() throws IOException;
    }

    /** Makes a change in one step; if it fails, its files are removed. */
    private static SavedIndex change(Path directory, long generation, Change change) throws IOException {
        SavedIndex now;
        try {
            now = new SavedIndex(directory, change.write());
            now.replaceManifest();
        } catch (IOException | RuntimeException | Error e) {
            for (String kind : List.of(SEGMENT, DELETED)) {
                Files.deleteIfExists(directory.resolve(fileName(kind, generation)));
            }
            if (Files.isRegularFile(directory.resolve(UNFINISHED_MANIFEST))) {
                Files.deleteIfExists(directory.resolve(UNFINISHED_MANIFEST));
            }
            throw e;
        }
        force(directory);
        now.removeOthers();
        return now;
    }

    private static String fileName(String kind, long generation) {
        return String.format(Locale.ROOT, "%s-%08d.safetensors", kind, generation);
    }

    private void replaceManifest() throws IOException {
        force(directory);
        Path unfinished = directory.resolve(UNFINISHED_MANIFEST);
        try (FileChannel channel = FileChannel.open(
                unfinished,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE)) {
            SegmentFile.writeFully(channel, ByteBuffer.wrap(manifest.toBytes()));
            channel.force(true);
        }
        Files.move(unfinished, directory.resolve(MANIFEST), StandardCopyOption.ATOMIC_MOVE);
    }

    /** The names in a directory are on the disk only after this; where a system cannot do it (Windows), it does so itself. */
    private static void force(Path directory) {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            // Directories cannot be opened there.
        }
    }

    /** What an earlier manifest named, or a crash left. Files that are mapped stay readable until they are closed. */
    private void removeOthers() {
        Set<String> names = files().map(Entry::file).collect(Collectors.toSet());
        try (DirectoryStream<Path> found = Files.newDirectoryStream(directory, "{segment,deleted}-*.safetensors")) {
            for (Path file : found) {
                if (!names.contains(String.valueOf(file.getFileName()))) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // They are in nobody's way, and the next save tries again.
        }
    }
}
