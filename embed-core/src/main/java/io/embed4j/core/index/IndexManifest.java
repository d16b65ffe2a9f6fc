// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.SimilarityFunction;
import io.embed4j.core.file.JsonConfig;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

/**
 * {@code manifest.json}: which files make up the index, with their lengths and checksums. What is not named here does not
 * belong to it, so replacing this one file is what commits a change. docs/index-format.md describes it byte for byte.
 *
 * @param generation how many times the index was saved
 * @param dimension D
 * @param similarity what is ranked by
 * @param stringIds whether rows are named by strings
 * @param segments files with rows, in order
 * @param deleted the file that lists deleted rows, if there are any
 */
public record IndexManifest(
        long generation,
        int dimension,
        SimilarityFunction similarity,
        boolean stringIds,
        List<Entry> segments,
        Optional<Entry> deleted) {
    static final String FORMAT = "embed4j-index";
    static final int VERSION = 1;

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();
    private static final Pattern CHECKSUM_LINE = Pattern.compile(",\n  \"crc32c\": \"([0-9a-f]{8})\"\n}\n\\z");
    private static final Pattern FILE_NAME = Pattern.compile("(segment|deleted)-\\d{8,19}\\.safetensors");

    /**
     * A file of the index.
     *
     * @param file its name
     * @param rows how many rows it has
     * @param bytes its length
     * @param checksum CRC-32C of all its bytes
     */
    public record Entry(String file, int rows, long bytes, int checksum) {}

    /** N, with what was deleted. */
    int rows() {
        return segments.stream().mapToInt(Entry::rows).sum();
    }

    /** The file's bytes. */
    byte[] toBytes() {
        JsonObject json = new JsonObject();
        json.addProperty("format", FORMAT);
        json.addProperty("version", VERSION);
        json.addProperty("generation", generation);
        json.addProperty("dimension", dimension);
        json.addProperty("similarity", similarity.toString());
        json.addProperty("ids", stringIds ? "string" : "long");
        JsonArray files = new JsonArray();
        segments.forEach(segment -> files.add(toJson(segment)));
        json.add("segments", files);
        deleted.ifPresent(entry -> json.add("deleted", toJson(entry)));
        String text = GSON.toJson(json);
        String covered = text.substring(0, text.length() - "\n}".length());
        return (covered + ",\n  \"crc32c\": \"" + hex(checksum(covered.getBytes(StandardCharsets.UTF_8))) + "\"\n}\n")
                .getBytes(StandardCharsets.UTF_8);
    }

    private static JsonObject toJson(Entry entry) {
        JsonObject json = new JsonObject();
        json.addProperty("file", entry.file());
        json.addProperty("rows", entry.rows());
        json.addProperty("bytes", entry.bytes());
        json.addProperty("crc32c", hex(entry.checksum()));
        return json;
    }

    /**
     * Reads a manifest.
     *
     * @param file for messages
     * @param bytes the file's bytes
     * @throws ModelFormatException if it is of another kind or version, or damaged
     */
    static IndexManifest parse(Path file, byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        JsonConfig json = parseJson(file, text);
        if (!json.optionalString("format").equals(Optional.of(FORMAT))) {
            throw refused(file + " is no manifest of an index: its \"format\" is "
                    + json.optionalString("format")
                            .map(format -> '"' + format + '"')
                            .orElse("missing") + ", not \""
                    + FORMAT + "\".");
        }
        long version = json.longValue("version");
        if (version != VERSION) {
            throw refused(file + " has version " + version + "; this embed4j reads version " + VERSION
                    + ". Use the embed4j that wrote it, or a newer one.");
        }
        Matcher line = CHECKSUM_LINE.matcher(text);
        if (!line.find()) {
            throw refused(file + " does not end with its checksum: it is damaged. Restore it from a copy.");
        }
        int found = checksum(text.substring(0, line.start()).getBytes(StandardCharsets.UTF_8));
        if (!hex(found).equals(line.group(1))) {
            throw refused(file + " has the checksum " + hex(found) + ", but says " + line.group(1)
                    + ": it is damaged. Restore it from a copy.");
        }
        List<Entry> segments = new ArrayList<>();
        for (JsonConfig segment : json.objects("segments")) {
            segments.add(entry(file, segment));
        }
        return new IndexManifest(
                json.longValue("generation"),
                Math.toIntExact(json.longValue("dimension")),
                SimilarityFunction.parse(json.stringValue("similarity")),
                json.stringValue("ids").equals("string"),
                List.copyOf(segments),
                json.optionalObject("deleted").map(entry -> entry(file, entry)));
    }

    private static JsonConfig parseJson(Path file, String text) {
        try {
            return JsonConfig.parse(file.toString(), text);
        } catch (ModelFormatException e) {
            throw new ModelFormatException(
                    HelpTopic.INDEX_FILE, e.getMessage() + " It is no manifest of an index, or damaged.", e);
        }
    }

    private static Entry entry(Path manifest, JsonConfig json) {
        String name = json.stringValue("file");
        if (!FILE_NAME.matcher(name).matches()) {
            throw refused(manifest + " names the file \"" + name + "\", which is no file of an index.");
        }
        return new Entry(
                name,
                Math.toIntExact(json.longValue("rows")),
                json.longValue("bytes"),
                Integer.parseUnsignedInt(json.stringValue("crc32c"), 16));
    }

    static String hex(int checksum) {
        return String.format(Locale.ROOT, "%08x", checksum);
    }

    private static int checksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    private static ModelFormatException refused(String message) {
        return new ModelFormatException(HelpTopic.INDEX_FILE, message);
    }
}
