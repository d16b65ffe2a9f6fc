// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * What the Hub says of one file of a commit.
 *
 * @param commit the commit
 * @param path in the repository
 * @param etag names the content, and the blob in the cache: the SHA-256 of a large file (Git LFS), the hash that git has
 *     for a small one
 * @param bytes the size
 */
record HubFile(String commit, String path, String etag, long bytes) {
    private static final int BUFFER_BYTES = 1 << 16;
    private static final int SHA_1_DIGITS = 40;
    private static final int SHA_256_DIGITS = 64;

    /** Whether the ETag tells the content; only a mirror has others. */
    boolean hasHash() {
        return etag.matches("[0-9a-f]{" + SHA_1_DIGITS + "}|[0-9a-f]{" + SHA_256_DIGITS + "}");
    }

    /** Whether a file's content is this one; without a hash the size must do. */
    boolean isContentOf(Path file) throws IOException {
        if (Files.size(file) != bytes) {
            return false;
        }
        if (!hasHash()) {
            return true;
        }
        if (etag.length() == SHA_256_DIGITS) {
            return etag.equals(hash(file, digest("SHA-256")));
        }
        // Git hashes a header before the content, so that its kind and its length count.
        MessageDigest digest = digest("SHA-1");
        digest.update(("blob " + bytes + "\0").getBytes(StandardCharsets.US_ASCII));
        return etag.equals(hash(file, digest));
    }

    private static String hash(Path file, MessageDigest digest) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                digest.update(buffer, 0, count);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest digest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every JVM has " + algorithm + ".", e);
        }
    }
}
