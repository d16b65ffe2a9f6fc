// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets one process at a time download a blob, so that it travels once. Nothing depends on it: where a file system has no
 * locks, everybody downloads to a file of his own. Python locks the same file in another way on Linux, so beside Python
 * a blob may travel twice.
 */
final class BlobLock {
    private static final Logger LOG = LoggerFactory.getLogger(BlobLock.class);

    private BlobLock() {}

    /** What is done under the lock. */
    @FunctionalInterface
    interface Work {
        /**
         * Does it.
         *
         * @param alone whether nobody else does the same
         */
        void run(boolean alone);
    }

    /**
     * Waits for the lock and works.
     *
     * @param file the lock's file
     */
    static void hold(Path file, Work work) {
        // A JVM may lock a file once, and closing a second channel would drop the lock: so one thread at a time, in all
        // copies of this class. A string that is interned is one object throughout the JVM.
        synchronized (("io.embed4j.lock:" + file.toAbsolutePath()).intern()) {
            try (FileChannel channel = open(file)) {
                FileLock lock = channel.tryLock();
                if (lock == null) {
                    LOG.info("Another process downloads {}; waiting for it.", file.getFileName());
                    lock = channel.lock();
                }
                work.run(lock.isValid());
            } catch (IOException e) {
                LOG.debug("{} cannot be locked", file, e);
                work.run(false);
            }
        }
    }

    private static FileChannel open(Path file) throws IOException {
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }
}
