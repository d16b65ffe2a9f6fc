// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import java.util.function.Predicate;

/**
 * A native library that is to lie on disk so that the system can load it.
 *
 * <p>The idea: the directory is named by the content, so a file that is there under its name is either right or damaged,
 * never another version. A file is written under a name of its own and then renamed into place, in one step: whoever
 * looks finds no file or a whole one, with any number of processes and without a lock. A damaged file is replaced the
 * same way; whoever has it mapped keeps the old one. (JCuda writes in place to one fixed name, and a process that maps
 * the half written file dies by SIGBUS.)
 *
 * <p>A JVM loads a file into one class loader only, so each loader that has JCuda gets a copy of its own; see
 * {@link LoaderNumber}.
 */
final class NativeFile {
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");
    private static final int KEY_BYTES = 8;

    private NativeFile() {}

    /**
     * Makes sure that a library lies below a directory.
     *
     * @param base made if it is not there; may be read-only if the library is there already
     * @param fileName the library's name
     * @param content what it holds
     * @param loaderNumber 0 for the first class loader of the JVM
     * @return the file, without symbolic links
     * @throws IOException if it is not there and cannot be written
     */
    static Path place(Path base, String fileName, byte[] content, int loaderNumber) throws IOException {
        Path directory = base.resolve(key(content) + (loaderNumber == 0 ? "" : "-" + loaderNumber));
        return put(
                directory, fileName, present -> holds(present, content), temporary -> Files.write(temporary, content));
    }

    /**
     * Makes sure that a large library lies in a directory. Its content is told from others by its key and its size, not
     * compared.
     *
     * @param directory named by a key of the content
     * @param fileName the library's name
     * @param bytes how long it is
     * @param source the content
     * @return the file, without symbolic links
     * @throws IOException if it is not there and cannot be written
     */
    static Path placeLarge(Path directory, String fileName, long bytes, Source source) throws IOException {
        return put(directory, fileName, present -> present.toFile().length() == bytes, temporary -> {
            try (InputStream in = source.open()) {
                Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
            }
        });
    }

    /** Opens the content of a large library. */
    interface Source {
        InputStream open() throws IOException;
    }

    private interface Writer {
        void write(Path temporary) throws IOException;
    }

    private static Path put(Path directory, String fileName, Predicate<Path> isRight, Writer writer)
            throws IOException {
        Path file = directory.resolve(fileName);
        makePrivate(directory);
        requirePrivate(directory);
        if (!isRight.test(file)) {
            Path temporary = Files.createTempFile(directory, fileName, ".part");
            try {
                writer.write(temporary);
                move(temporary, file, isRight);
            } finally {
                Files.deleteIfExists(temporary);
            }
        }
        return file.toRealPath();
    }

    private static void move(Path temporary, Path file, Predicate<Path> isRight) throws IOException {
        try {
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (FileSystemException e) {
            // Windows does not replace a library that is in use; another process was first, with the same content.
            if (!isRight.test(file)) {
                throw e;
            }
        }
    }

    private static boolean holds(Path file, byte[] content) {
        try {
            return Files.isRegularFile(file)
                    && Files.size(file) == content.length
                    && Arrays.equals(Files.readAllBytes(file), content);
        } catch (IOException e) {
            return false; // not readable, so it has to be written again
        }
    }

    private static void makePrivate(Path directory) throws IOException {
        if (Files.isDirectory(directory)) {
            return;
        }
        if (isPosix(directory)) {
            Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        } else {
            Files.createDirectories(directory);
        }
    }

    /** Whoever can write to the directory can run code in this process: only its user and root may. */
    private static void requirePrivate(Path directory) throws IOException {
        if (!isPosix(directory)) {
            return;
        }
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(directory);
        if (permissions.contains(PosixFilePermission.GROUP_WRITE)
                || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new AccessDeniedException(directory.toString(), null, "other users can write to it");
        }
        String owner = Files.getOwner(directory).getName();
        Path self = Path.of("/proc/self");
        String user = Files.exists(self)
                ? Files.getOwner(self, LinkOption.NOFOLLOW_LINKS).getName()
                : System.getProperty("user.name");
        if (!owner.equals(user) && !owner.equals("root")) {
            throw new AccessDeniedException(directory.toString(), null, "it belongs to the user " + owner);
        }
    }

    private static boolean isPosix(Path path) {
        return path.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    private static String key(byte[] content) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(content);
            return HexFormat.of().formatHex(digest, 0, KEY_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every Java has SHA-256.", e);
        }
    }
}
