// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.source.FileStore;
import io.embed4j.core.source.ModelFiles;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import org.jspecify.annotations.Nullable;

/**
 * A model in a folder of the class path, for instance in a jar of one's own: {@code classpath:models/my-model}.
 *
 * <p>A folder on the disk is used as it is. From a jar the model is unpacked into the cache, since weights are mapped,
 * into a directory whose name holds the checksums that the jar has of its entries: another content is another
 * directory, and looking takes no time.
 */
final class ClasspathModel implements FileStore {
    static final String SCHEME = "classpath:";

    private static final List<String> FIRST_FILES = List.of("modules.json", "config.json");

    private final String folder;
    private final Path configuration;
    private final Map<String, Entry> entries = new TreeMap<>();

    /**
     * A file to unpack.
     *
     * @param resource where it lies
     * @param bytes its size
     * @param checksum tells its content
     */
    private record Entry(URL resource, long bytes, String checksum) {}

    private ClasspathModel(String folder, Path configuration) {
        this.folder = folder;
        this.configuration = configuration;
    }

    /**
     * Finds a model and makes sure that it lies on the disk.
     *
     * @param model {@code classpath:FOLDER}
     * @return a directory in Hugging Face layout
     * @throws ModelFormatException if there is no such folder
     */
    static Path unpack(String model) {
        String folder = folder(model);
        String first = FIRST_FILES.stream()
                .filter(name -> resource(folder + name) != null)
                .findFirst()
                .orElseThrow(() -> new ModelFormatException(
                        HelpTopic.MODEL_NOT_FOUND,
                        "The class path has neither "
                                + String.join(
                                        " nor ",
                                        FIRST_FILES.stream()
                                                .map(name -> folder + name)
                                                .toList()) + ", so \"" + model + "\" is no model."));
        URL found = Objects.requireNonNull(resource(folder + first));
        return onDisk(found).orElseGet(() -> unpack(model, folder));
    }

    private static String folder(String model) {
        String folder = model.substring(SCHEME.length()).replaceAll("/+$", "");
        if (folder.isEmpty()
                || folder.startsWith("/")
                || List.of(folder.split("/")).contains("..")) {
            throw new ModelFormatException(
                    HelpTopic.MODEL_NOT_FOUND,
                    "\"" + model
                            + "\" is not a folder of the class path. Write classpath:models/my-model, without a slash"
                            + " before it.");
        }
        return folder + "/";
    }

    private static Optional<Path> onDisk(URL file) {
        try {
            return file.getProtocol().equals("file")
                    ? Optional.ofNullable(Path.of(file.toURI()).getParent())
                    : Optional.empty();
        } catch (URISyntaxException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static Path unpack(String model, String folder) {
        Path cache = CacheDirectory.find().resolve("models");
        try {
            Files.createDirectories(cache);
            Path configuration = Files.createTempDirectory(cache, "classpath.tmp");
            try {
                ClasspathModel found = new ClasspathModel(folder, configuration);
                ModelFiles.bringConfiguration(found);
                ModelFiles.bringWeights(found);
                Path target = cache.resolve(found.directoryName());
                Map<String, Long> bytes = new TreeMap<>();
                found.entries.forEach((path, entry) -> bytes.put(path, entry.bytes()));
                UnpackedDirectory.fill(
                        target, bytes, (path, file) -> copy(Objects.requireNonNull(found.entries.get(path)), file));
                return target;
            } finally {
                UnpackedDirectory.deleteTree(configuration);
            }
        } catch (IOException e) {
            throw new EmbedException(
                    HelpTopic.CACHE_DIRECTORY,
                    "The model " + model + " could not be unpacked to " + cache + ": " + e
                            + ". Set the system property embed4j.cache to a writable directory with room.",
                    e);
        }
    }

    private String directoryName() {
        MessageDigest digest = sha256();
        entries.forEach((path, entry) ->
                digest.update((path + " " + entry.checksum() + "\n").getBytes(StandardCharsets.UTF_8)));
        String name = folder.replaceAll("^.*/(?=[^/]+/$)|/$", "").replaceAll("[^A-Za-z0-9._-]", "_");
        return name + "-" + HexFormat.of().formatHex(digest.digest(), 0, 8);
    }

    @Override
    public String name() {
        return SCHEME + folder.substring(0, folder.length() - 1);
    }

    @Override
    public Path directory() {
        return configuration;
    }

    @Override
    public boolean has(String path) {
        return resource(folder + path) != null;
    }

    /** Small files come now, since they say which others are needed; large ones when all are known. */
    @Override
    public void bring(Collection<String> paths) {
        try {
            for (String path : paths) {
                URL resource = Objects.requireNonNull(resource(folder + path), path);
                Entry entry = entry(resource);
                entries.put(path, entry);
                if (path.endsWith(".json")) {
                    Path file = configuration.resolve(path);
                    Files.createDirectories(Objects.requireNonNull(file.getParent()));
                    copy(entry, file);
                }
            }
        } catch (IOException e) {
            throw new ModelFormatException(name() + " cannot be read: " + e, e);
        }
    }

    private static Entry entry(URL resource) throws IOException {
        URLConnection connection = resource.openConnection();
        if (connection instanceof JarURLConnection jar) {
            ZipEntry entry = jar.getJarEntry();
            if (entry.getCrc() >= 0 && entry.getSize() >= 0) {
                return new Entry(resource, entry.getSize(), Long.toHexString(entry.getCrc()) + "-" + entry.getSize());
            }
        }
        MessageDigest digest = sha256();
        try (InputStream in = new DigestInputStream(resource.openStream(), digest)) {
            long bytes = in.transferTo(OutputStream.nullOutputStream());
            return new Entry(resource, bytes, HexFormat.of().formatHex(digest.digest()));
        }
    }

    private static void copy(Entry entry, Path file) throws IOException {
        try (InputStream in = entry.resource().openStream()) {
            Files.copy(in, file);
        }
        if (Files.size(file) != entry.bytes()) {
            throw new IOException(entry.resource() + " has " + Files.size(file) + " bytes, not " + entry.bytes());
        }
    }

    private static @Nullable URL resource(String path) {
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        URL found = context == null ? null : context.getResource(path);
        return found != null ? found : ClasspathModel.class.getClassLoader().getResource(path);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every JVM has SHA-256.", e);
        }
    }
}
