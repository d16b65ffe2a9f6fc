// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.util.ArrayList;
import java.util.List;

/**
 * Numbers the class loaders that hold JCuda, from 0, across all copies of embed4j in this JVM.
 *
 * <p>Copies of embed4j in different class loaders share no class but those of the JDK, so the list is a system property:
 * the identity hashes of the loaders. Should a loader die and another get its hash, it gets its number as well, which is
 * right: with the loader went the libraries it had loaded.
 */
final class LoaderNumber {
    private static final String PROPERTY = "io.embed4j.cuda.natives.loaders";

    private LoaderNumber() {}

    /** The number of a loader; the same on every call. */
    static int of(ClassLoader loader) {
        String hash = Integer.toHexString(System.identityHashCode(loader));
        synchronized (JvmLock.LOCK) {
            String listed = System.getProperty(PROPERTY, "");
            List<String> hashes = new ArrayList<>(listed.isEmpty() ? List.of() : List.of(listed.split(",")));
            if (!hashes.contains(hash)) {
                hashes.add(hash);
                System.setProperty(PROPERTY, String.join(",", hashes));
            }
            return hashes.indexOf(hash);
        }
    }
}
