// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A directory of unpacked files whose name tells its content. It is filled under another name and then moved into place
 * in one step: two processes may do so at once, one of them wins and both see whole files. Where the directory is there
 * but lacks files, they are put in one by one, each in one step.
 */
final class UnpackedDirectory {
    private UnpackedDirectory() {}

    /** Writes one of the files. */
    @FunctionalInterface
    interface Unpacker {
        /**
         * Writes it.
         *
         * @param path which one, relative to the directory
         * @param target where to; its parent is there
         */
        void write(String path, Path target) throws IOException;
    }

    /**
     * Makes sure that the directory is there with all its files.
     *
     * @param target the directory
     * @param bytes each file's size, by its relative path
     * @param unpacker writes files that are missing
     */
    static void fill(Path target, Map<String, Long> bytes, Unpacker unpacker) throws IOException {
        if (isComplete(target, bytes)) {
            return;
        }
        Path parent = Objects.requireNonNull(target.getParent());
        Files.createDirectories(parent);
        Path fresh = Files.createTempDirectory(parent, target.getFileName() + ".tmp");
        try {
            for (String path : bytes.keySet()) {
                Path file = fresh.resolve(path);
                Files.createDirectories(Objects.requireNonNull(file.getParent()));
                unpacker.write(path, file);
            }
            moveIntoPlace(fresh, target, bytes);
        } finally {
            deleteTree(fresh);
        }
    }

    private static boolean isComplete(Path directory, Map<String, Long> bytes) throws IOException {
        for (Map.Entry<String, Long> file : bytes.entrySet()) {
            if (!isWhole(directory.resolve(file.getKey()), file.getValue())) {
                return false;
            }
        }
        return true;
    }

    private static boolean isWhole(Path file, long bytes) throws IOException {
        return Files.isRegularFile(file) && Files.size(file) == bytes;
    }

    private static void moveIntoPlace(Path fresh, Path target, Map<String, Long> bytes) throws IOException {
        try {
            Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            // Somebody was first, or the directory there lacks files. Nothing is deleted: others may be reading.
            for (Map.Entry<String, Long> file : bytes.entrySet()) {
                Path path = target.resolve(file.getKey());
                if (!isWhole(path, file.getValue())) {
                    Files.createDirectories(Objects.requireNonNull(path.getParent()));
                    Files.move(fresh.resolve(file.getKey()), path, StandardCopyOption.ATOMIC_MOVE);
                }
            }
        }
    }

    static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root)) {
            return;
        }
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure)
                    throws IOException {
                Files.deleteIfExists(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
