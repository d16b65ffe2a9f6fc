// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import io.embed4j.core.model.CacheDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Where natives may be unpacked, best first: the directory that the user named, and no other; else the caches of embed4j,
 * the home directory's before the temporary one; at last a fresh directory below the temporary one, which lasts as long
 * as the JVM.
 */
final class UnpackDirectories {
    /** Names the directory to unpack natives to. */
    static final String PROPERTY = "embed4j.cuda.natives";

    static final String VARIABLE = "EMBED4J_CUDA_NATIVES";
    private static final String BELOW_CACHE = "natives";

    private UnpackDirectories() {}

    /** The directories to try in turn. They need not exist. */
    static List<Path> candidates() {
        Optional<Path> named = named();
        if (named.isPresent()) {
            return List.of(named.get());
        }
        List<Path> candidates = new ArrayList<>();
        for (Path cache : CacheDirectory.candidates()) {
            candidates.add(cache.resolve(BELOW_CACHE).toAbsolutePath());
        }
        return candidates;
    }

    /** The last resort, unless the user named a directory. */
    static Optional<Path> fresh() throws IOException {
        if (named().isPresent()) {
            return Optional.empty();
        }
        Path directory = Files.createTempDirectory("embed4j-natives-");
        directory.toFile().deleteOnExit();
        return Optional.of(directory);
    }

    private static Optional<Path> named() {
        String named = System.getProperty(PROPERTY, System.getenv(VARIABLE));
        return named == null || named.isBlank()
                ? Optional.empty()
                : Optional.of(Path.of(named).toAbsolutePath());
    }
}
