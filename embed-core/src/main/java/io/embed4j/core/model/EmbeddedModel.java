// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.JsonConfig;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A model on the class path. A descriptor {@code META-INF/embed4j/models/NAME.json} lists the files of a Hugging Face
 * directory, each either as a resource with its size and SHA-256 or as JSON right there.
 *
 * <p>Weights are mapped from files, so the model is unpacked once into the cache, under a name that holds the hash of
 * the descriptor.
 */
public final class EmbeddedModel {
    private static final String DESCRIPTORS = "META-INF/embed4j/models/";

    private final String name;
    private final String directoryName;
    private final ClassLoader loader;
    private final Map<String, PackedFile> files = new TreeMap<>();

    /** A file of the model: a resource with its hash, or its text. */
    private record PackedFile(
            @Nullable String resource,
            @Nullable String sha256,
            long bytes,
            @Nullable String text) {}

    private EmbeddedModel(String id, String descriptor, ClassLoader loader) {
        JsonConfig json = JsonConfig.parse("the descriptor of embedded:" + id, descriptor);
        this.name = json.stringValue("name");
        this.directoryName =
                id + "-" + HexFormat.of().formatHex(sha256().digest(descriptor.getBytes(StandardCharsets.UTF_8)), 0, 8);
        this.loader = loader;
        json.optionalObject("resources").ifPresent(resources -> {
            for (String path : resources.json().keySet()) {
                JsonConfig file = resources.optionalObject(path).orElseThrow();
                files.put(
                        path,
                        new PackedFile(
                                file.stringValue("resource"),
                                file.stringValue("sha256"),
                                file.intValue("bytes"),
                                null));
            }
        });
        json.optionalObject("texts").ifPresent(texts -> {
            for (String path : texts.json().keySet()) {
                String text = texts.json().get(path).toString();
                files.put(path, new PackedFile(null, null, text.getBytes(StandardCharsets.UTF_8).length, text));
            }
        });
    }

    /**
     * Finds the descriptor of a model.
     *
     * @param id the part after {@code embedded:}
     * @throws ModelFormatException if no such model is on the class path; the message names the artifact to add
     */
    public static EmbeddedModel find(String id) {
        return optional(id)
                .orElseThrow(() -> new ModelFormatException(
                        HelpTopic.MODEL_NOT_FOUND,
                        "The model embedded:" + id + " is not on the class path. Add the dependency "
                                + "io.embed4j:embed-model-minilm for embedded:all-minilm-l6-v2, or name a model"
                                + " directory."));
    }

    /**
     * Finds the descriptor of a model.
     *
     * @param id the part after {@code embedded:}
     * @return empty if no such model is on the class path
     */
    public static Optional<EmbeddedModel> optional(String id) {
        if (!id.matches("[A-Za-z0-9._-]+")) {
            throw new ModelFormatException(
                    HelpTopic.MODEL_NOT_FOUND, "\"embedded:" + id + "\" is not the name of an embedded model.");
        }
        ClassLoader own = EmbeddedModel.class.getClassLoader();
        ClassLoader context = Optional.ofNullable(Thread.currentThread().getContextClassLoader())
                .orElse(own);
        for (ClassLoader loader : new ClassLoader[] {context, own}) {
            try (InputStream in = loader.getResourceAsStream(DESCRIPTORS + id + ".json")) {
                if (in != null) {
                    return Optional.of(
                            new EmbeddedModel(id, new String(in.readAllBytes(), StandardCharsets.UTF_8), loader));
                }
            } catch (IOException e) {
                throw new ModelFormatException(
                        HelpTopic.MODEL_NOT_FOUND, "The descriptor of embedded:" + id + " cannot be read.", e);
            }
        }
        return Optional.empty();
    }

    /** As people call it. */
    public String name() {
        return name;
    }

    /**
     * Unpacks the model unless it is already there.
     *
     * @return a directory in Hugging Face layout
     */
    public Path unpack() {
        Path target = CacheDirectory.find().resolve("models").resolve(directoryName);
        Map<String, Long> bytes = new TreeMap<>();
        files.forEach((path, file) -> bytes.put(path, file.bytes()));
        try {
            UnpackedDirectory.fill(target, bytes, (path, file) -> write(Objects.requireNonNull(files.get(path)), file));
            return target;
        } catch (IOException e) {
            throw new EmbedException(
                    HelpTopic.CACHE_DIRECTORY,
                    "The model " + name + " could not be unpacked to " + target + ": " + e
                            + ". Set the system property embed4j.cache to a writable directory with room.",
                    e);
        }
    }

    /**
     * Compares every file with what was unpacked, byte for byte.
     *
     * @param directory what {@link #unpack()} returned
     * @return files that differ or are missing
     */
    public List<String> damagedFiles(Path directory) {
        List<String> damaged = new ArrayList<>();
        files.forEach((path, file) -> {
            try {
                String wanted = file.sha256() == null
                        ? hex(new ByteArrayInputStream(
                                Objects.requireNonNull(file.text()).getBytes(StandardCharsets.UTF_8)))
                        : file.sha256();
                if (!hex(Files.newInputStream(directory.resolve(path))).equals(wanted)) {
                    damaged.add(path);
                }
            } catch (IOException e) {
                damaged.add(path);
            }
        });
        return damaged;
    }

    private static String hex(InputStream bytes) throws IOException {
        MessageDigest digest = sha256();
        try (InputStream in = new DigestInputStream(bytes, digest)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private void write(PackedFile file, Path path) throws IOException {
        if (file.text() != null) {
            Files.writeString(path, file.text());
            return;
        }
        MessageDigest digest = sha256();
        InputStream resource = loader.getResourceAsStream(file.resource());
        if (resource == null) {
            throw new IOException("the resource " + file.resource() + " is not on the class path");
        }
        try (InputStream in = new DigestInputStream(resource, digest);
                OutputStream out = Files.newOutputStream(path)) {
            in.transferTo(out);
        }
        String found = HexFormat.of().formatHex(digest.digest());
        if (!found.equals(file.sha256())) {
            throw new IOException(
                    "the resource " + file.resource() + " has SHA-256 " + found + ", not " + file.sha256());
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every JVM has SHA-256.", e);
        }
    }
}
