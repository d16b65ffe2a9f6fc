// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.nio.file.Path;

/** A library that is loaded for the sake of others that depend on it, and is no JNI library itself. */
final class SystemLibrary {
    private SystemLibrary() {}

    /**
     * Loads a library into the process.
     *
     * @throws UnsatisfiedLinkError if it cannot be loaded
     */
    static void load(Path file) {
        try {
            System.load(file.toAbsolutePath().toString());
        } catch (UnsatisfiedLinkError e) {
            // Then it is in the process, which is all we want. The JVM's words are not translated.
            if (!String.valueOf(e.getMessage()).contains("already loaded in another classloader")) {
                throw e;
            }
        }
    }
}
