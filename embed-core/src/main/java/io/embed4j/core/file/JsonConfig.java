// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import io.embed4j.ModelFormatException;
import io.embed4j.UnsupportedModelException;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * A JSON object out of a model's files, read with errors that name the file, the key and the value. It remembers which keys
 * were asked for, so that a reader can tell what nobody looked at.
 *
 * @param source where it was read, for messages
 * @param json the object
 * @param asked keys that were asked for so far
 */
public record JsonConfig(String source, JsonObject json, Set<String> asked) {

    /** Configuration files are small; what is larger is not one. tokenizer.json is not read here. */
    private static final long MAX_BYTES = 16L << 20;

    /** A wrong value may be as large as the file; a message shows its beginning. */
    private static final int MAX_MESSAGE_CHARS = 200;

    /** An object of which nothing was asked yet. */
    public JsonConfig(String source, JsonObject json) {
        this(source, json, new HashSet<>());
    }

    /**
     * Reads a file that must be a JSON object.
     *
     * @throws ModelFormatException if it is missing, too large, or not a JSON object
     */
    public static JsonConfig read(Path file) {
        JsonElement element = parse(file);
        if (!element.isJsonObject()) {
            throw new ModelFormatException(file + " must hold a JSON object.");
        }
        return new JsonConfig(file.toString(), element.getAsJsonObject());
    }

    /**
     * Reads a file that must be a JSON array of objects.
     *
     * @throws ModelFormatException if it is missing, too large, or something else
     */
    public static List<JsonConfig> readArray(Path file) {
        JsonElement element = parse(file);
        if (!element.isJsonArray()) {
            throw new ModelFormatException(file + " must hold a JSON array.");
        }
        List<JsonConfig> entries = new ArrayList<>();
        for (JsonElement entry : element.getAsJsonArray()) {
            if (!entry.isJsonObject()) {
                throw new ModelFormatException(file + " must hold JSON objects only, found " + shortened(entry) + ".");
            }
            entries.add(new JsonConfig(file.toString(), entry.getAsJsonObject()));
        }
        return entries;
    }

    /**
     * Parses text that must be a JSON object, by the letter of RFC 8259: what reads it after us may do so too.
     *
     * @param source where it comes from, for messages
     * @throws ModelFormatException if it is something else
     */
    public static JsonConfig parse(String source, String text) {
        JsonElement element = parse(source, text, Strictness.STRICT);
        if (!element.isJsonObject()) {
            throw new ModelFormatException(source + " must hold a JSON object.");
        }
        return new JsonConfig(source, element.getAsJsonObject());
    }

    private static JsonElement parse(Path file) {
        try {
            long bytes = Files.size(file);
            if (bytes > MAX_BYTES) {
                throw new ModelFormatException(file + " has " + bytes + " bytes, too many for a configuration file.");
            }
            // Lenient: Python writes NaN and Infinity into configuration files, if only under keys that we do not read.
            return parse(file.toString(), Files.readString(file, StandardCharsets.UTF_8), Strictness.LENIENT);
        } catch (NoSuchFileException e) {
            throw new ModelFormatException(file + " is missing.", e);
        } catch (IOException e) {
            throw new ModelFormatException(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static JsonElement parse(String source, String text, Strictness strictness) {
        try (JsonReader reader = new JsonReader(new StringReader(text))) {
            reader.setStrictness(strictness);
            JsonElement element = JsonParser.parseReader(reader);
            if (!text.isBlank() && reader.peek() != JsonToken.END_DOCUMENT) {
                throw new JsonParseException("something follows its end");
            }
            return element;
        } catch (JsonParseException | IOException e) {
            throw new ModelFormatException(source + " is not valid JSON: " + e.getMessage(), e);
        }
    }

    /** Tells whether the key is there and not null. */
    public boolean has(String key) {
        asked.add(key);
        return json.has(key) && !json.get(key).isJsonNull();
    }

    /** Tells whether the key is there and null, where that means something else than its absence. */
    public boolean isNull(String key) {
        asked.add(key);
        return json.has(key) && json.get(key).isJsonNull();
    }

    /**
     * Refuses a key whose value would change the architecture.
     *
     * @param supported the only value that is honoured, and that an absent key stands for
     * @throws UnsupportedModelException if there is another
     */
    public void require(String key, Object supported) {
        if (has(key) && !sameValue(json.get(key), supported)) {
            throw notSupported(key, supported + " is.");
        }
    }

    /**
     * The refusal of a key's value.
     *
     * @param instead what would be honoured, a sentence's second half
     */
    public UnsupportedModelException notSupported(String key, String instead) {
        return new UnsupportedModelException(
                source + ": \"" + key + "\": " + shortened(json.get(key)) + " is not supported; " + instead);
    }

    private static boolean sameValue(JsonElement found, Object supported) {
        if (!found.isJsonPrimitive()) {
            return false;
        }
        return (supported instanceof Number number && found.getAsJsonPrimitive().isNumber())
                ? found.getAsDouble() == number.doubleValue()
                : found.getAsString().equals(supported.toString());
    }

    /** A whole number that must be there. */
    public int intValue(String key) {
        return required(key, "a whole number", JsonConfig::wholeNumber);
    }

    /** A whole number that must be there, of up to 64 bits. */
    public long longValue(String key) {
        return required(
                key, "a whole number", element -> element.getAsBigDecimal().longValueExact());
    }

    /** A whole number, or the default. */
    public int intValue(String key, int fallback) {
        return has(key) ? intValue(key) : fallback;
    }

    /** A whole number that must be there and lie in [least, most]. */
    public int intBetween(String key, int least, int most) {
        return required(key, "a whole number from " + least + " to " + most, element -> {
            int value = wholeNumber(element);
            if (value < least || value > most) {
                throw new NumberFormatException();
            }
            return value;
        });
    }

    /** A number, or the default. */
    public double doubleValue(String key, double fallback) {
        return has(key) ? doubleValue(key) : fallback;
    }

    /** A number that must be there. */
    public double doubleValue(String key) {
        return required(key, "a number", JsonConfig::finite);
    }

    /** true or false, or the default. */
    public boolean booleanValue(String key, boolean fallback) {
        return has(key)
                ? this.<Boolean>required(key, "true or false", element -> {
                    if (!element.getAsJsonPrimitive().isBoolean()) {
                        throw new IllegalStateException();
                    }
                    return element.getAsBoolean();
                })
                : fallback;
    }

    /** A string that must be there. */
    public String stringValue(String key) {
        return required(key, "a string", JsonConfig::string);
    }

    /** A string, if it is there. */
    public Optional<String> optionalString(String key) {
        return has(key) ? Optional.of(stringValue(key)) : Optional.empty();
    }

    /** An object, if it is there. */
    public Optional<JsonConfig> optionalObject(String key) {
        return has(key)
                ? Optional.of(new JsonConfig(
                        source + " \"" + key + "\"", required(key, "an object", JsonElement::getAsJsonObject)))
                : Optional.empty();
    }

    /** The objects of an array; empty if the key is not there. */
    public List<JsonConfig> objects(String key) {
        if (!has(key)) {
            return List.of();
        }
        return required(key, "an array of objects", element -> {
            List<JsonConfig> values = new ArrayList<>();
            for (JsonElement value : element.getAsJsonArray()) {
                values.add(new JsonConfig(source + " \"" + key + "\"", value.getAsJsonObject()));
            }
            return values;
        });
    }

    /** The strings of an array, or one string; empty if the key is not there. */
    public List<String> strings(String key) {
        if (!has(key)) {
            return List.of();
        }
        return required(key, "a string or an array of strings", element -> {
            if (!element.isJsonArray()) {
                return List.of(string(element));
            }
            List<String> values = new ArrayList<>();
            for (JsonElement value : element.getAsJsonArray()) {
                values.add(string(value));
            }
            return values;
        });
    }

    /** The whole numbers of an array that must be there. */
    public List<Long> longs(String key) {
        return required(key, "an array of whole numbers", element -> {
            JsonArray array = element.getAsJsonArray();
            List<Long> values = new ArrayList<>(array.size());
            for (JsonElement value : array) {
                values.add(value.getAsBigDecimal().longValueExact());
            }
            return values;
        });
    }

    /** The object as strings by key, in the file's order. */
    public Map<String, String> stringMap() {
        Map<String, String> values = new LinkedHashMap<>();
        for (String key : json.keySet()) {
            values.put(key, stringValue(key));
        }
        return values;
    }

    private <T> T required(String key, String what, Function<JsonElement, T> convert) {
        if (!has(key)) {
            throw new ModelFormatException(source + " has no \"" + key + "\"; it must be " + what + ".");
        }
        try {
            return convert.apply(json.get(key));
        } catch (IllegalStateException
                | ArithmeticException
                | NumberFormatException
                | UnsupportedOperationException e) {
            throw new ModelFormatException(
                    source + ": \"" + key + "\" must be " + what + ", found " + shortened(json.get(key)) + ".", e);
        }
    }

    private static String shortened(JsonElement element) {
        String text = element.toString();
        return text.length() <= MAX_MESSAGE_CHARS ? text : text.substring(0, MAX_MESSAGE_CHARS) + "...";
    }

    private static int wholeNumber(JsonElement element) {
        return element.getAsBigDecimal().intValueExact();
    }

    /** Gson's lenient reader takes NaN and Infinity, and 1e999 is infinite as a double. */
    private static double finite(JsonElement element) {
        double value = element.getAsDouble();
        if (!Double.isFinite(value)) {
            throw new NumberFormatException();
        }
        return value;
    }

    private static String string(JsonElement element) {
        if (!element.getAsJsonPrimitive().isString()) {
            throw new IllegalStateException();
        }
        return element.getAsString();
    }
}
