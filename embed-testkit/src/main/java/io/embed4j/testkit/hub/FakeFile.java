// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit.hub;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * A file of a repository.
 *
 * @param path in the repository
 * @param content its bytes
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record FakeFile(String path, byte[] content) {
    private static final List<String> LARGE = List.of(".safetensors", ".bin", ".onnx", ".onnx_data");

    /** Whether it is kept with Git LFS, on another host. */
    boolean isLarge() {
        return LARGE.stream().anyMatch(path::endsWith);
    }

    /** What names the content: SHA-256 of large files, git's own hash of small ones. */
    String etag() {
        return isLarge() ? hash("SHA-256", new byte[0], content) : gitHash(content);
    }

    /** The hash that git has for the file: for a large one, of the pointer that stands for it. */
    String gitOid() {
        return isLarge() ? gitHash(pointer()) : gitHash(content);
    }

    byte[] pointer() {
        return ("oid sha256:" + etag() + "\nsize " + content.length + "\n").getBytes(StandardCharsets.US_ASCII);
    }

    private static String gitHash(byte[] content) {
        return hash("SHA-1", ("blob " + content.length + "\0").getBytes(StandardCharsets.US_ASCII), content);
    }

    private static String hash(String algorithm, byte[] head, byte[] content) {
        try {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(head);
            return HexFormat.of().formatHex(digest.digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
