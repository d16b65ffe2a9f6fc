// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import io.embed4j.cli.LineReader.MalformedLineException;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** One string field of a JSON object on a line. Strict: what is no JSON, or no string, is refused with the reason. */
final class JsonField {
    private static final Pattern COLUMN = Pattern.compile("column (\\d+)");

    private JsonField() {}

    /**
     * Reads the field.
     *
     * @param line a JSON object (RFC 8259)
     * @param field name of a string field
     * @throws MalformedLineException if the line is no object or has no such string
     */
    static String read(String line, String field) throws MalformedLineException {
        return read(line, field, "--field", false);
    }

    /**
     * Reads a field that names the object.
     *
     * @param line a JSON object (RFC 8259)
     * @param field name of a field with a string, or a whole number, which becomes its digits
     * @throws MalformedLineException if the line is no object or has neither
     */
    static String readId(String line, String field) throws MalformedLineException {
        return read(line, field, "--id-field", true);
    }

    private static String read(String line, String field, String option, boolean numberToo)
            throws MalformedLineException {
        @Nullable String text = null;
        List<String> names = new ArrayList<>();
        try (JsonReader reader = new JsonReader(new StringReader(line))) {
            reader.setStrictness(Strictness.STRICT);
            requireToken(reader, JsonToken.BEGIN_OBJECT, "the line");
            reader.beginObject();
            while (reader.hasNext()) {
                String name = reader.nextName();
                if (!name.equals(field)) {
                    names.add(name);
                    reader.skipValue();
                    continue;
                }
                if (text != null) {
                    throw new MalformedLineException("the field \"" + field + "\" occurs twice.");
                }
                if (numberToo && reader.peek() == JsonToken.NUMBER) {
                    text = wholeNumber(reader.nextString(), field);
                } else {
                    requireToken(reader, JsonToken.STRING, "the field \"" + field + "\"");
                    text = reader.nextString();
                }
            }
            reader.endObject();
            requireToken(reader, JsonToken.END_DOCUMENT, "what follows the object");
        } catch (MalformedLineException e) {
            throw e;
        } catch (IOException e) {
            throw new MalformedLineException(describe(e));
        }
        if (text == null) {
            throw new MalformedLineException("no field \"" + field + "\"; the object has "
                    + (names.isEmpty()
                            ? "no fields."
                            : "\"" + String.join("\", \"", names) + "\". Name one with " + option + "."));
        }
        return text;
    }

    private static String wholeNumber(String digits, String field) throws MalformedLineException {
        if (!digits.matches("-?\\d+")) {
            throw new MalformedLineException(
                    "the field \"" + field + "\" is " + digits + ", expected a string or a whole number.");
        }
        return digits;
    }

    private static void requireToken(JsonReader reader, JsonToken expected, String what) throws IOException {
        JsonToken found = reader.peek();
        if (found != expected) {
            throw new MalformedLineException(what + " is " + kind(found) + ", expected " + kind(expected) + ".");
        }
    }

    private static String kind(JsonToken token) {
        return switch (token) {
            case BEGIN_OBJECT -> "a JSON object";
            case BEGIN_ARRAY -> "an array";
            case STRING -> "a string";
            case NUMBER -> "a number";
            case BOOLEAN -> "true or false";
            case NULL -> "null";
            case END_DOCUMENT -> "nothing";
            default -> "something else";
        };
    }

    private static String describe(IOException e) {
        if (e instanceof EOFException) {
            return "the JSON object does not end on this line.";
        }
        Matcher column = COLUMN.matcher(String.valueOf(e.getMessage()));
        return column.find() ? "malformed JSON near column " + column.group(1) + "." : "malformed JSON.";
    }
}
