// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.io.IOException;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Path;
import java.util.Optional;
import java.util.zip.ZipEntry;

/**
 * cuBLAS out of Bytedeco's redistributable jar (org.bytedeco:cuda, classifier linux-x86_64-redist), for applications that
 * have it on their class path; 12.6-9.5-1.5.11 is the last one on Maven Central with cuBLAS. It is unpacked once, some 600 MB, to a directory named by the jar's checksum of it.
 */
final class RedistJar {
    /** How messages name it. */
    static final String NAME = "org.bytedeco:cuda:linux-x86_64-redist on the class path";

    private static final String FOLDER = "org/bytedeco/cuda/";

    private RedistJar() {}

    /** Whether the jar is there, with cuBLAS of a major version. */
    static boolean holds(Platform platform, int major, ClassLoader classes) {
        return resource(platform, "cublas", major, classes).isPresent();
    }

    /**
     * Unpacks cuBLAS and cuBLASLt.
     *
     * @param platform how files are called
     * @param major cuBLAS's version
     * @param classes where to look for the jar
     * @param base where to unpack
     * @return the directory with both
     * @throws IOException if there is no such directory and it cannot be written
     */
    static Path unpack(Platform platform, int major, ClassLoader classes, Path base) throws IOException {
        URL cublas = resource(platform, "cublas", major, classes).orElseThrow();
        Path directory = base.resolve("cublas-" + major + "-" + key(cublas));
        for (String library : new String[] {"cublasLt", "cublas"}) {
            URL url = resource(platform, library, major, classes)
                    .orElseThrow(() -> new IOException("The jar with " + cublas + " has no " + library + "."));
            NativeFile.placeLarge(
                    directory,
                    platform.cudaFile(library, major),
                    url.openConnection().getContentLengthLong(),
                    url::openStream);
        }
        return directory;
    }

    private static Optional<URL> resource(Platform platform, String library, int major, ClassLoader classes) {
        return Optional.ofNullable(
                classes.getResource(FOLDER + platform.classifier() + "/" + platform.cudaFile(library, major)));
    }

    private static String key(URL url) throws IOException {
        if (url.openConnection() instanceof JarURLConnection connection) {
            ZipEntry entry = connection.getJarEntry();
            return Long.toHexString(entry.getCrc()) + Long.toHexString(entry.getSize());
        }
        return Long.toHexString(url.openConnection().getContentLengthLong()); // an exploded class path
    }
}
