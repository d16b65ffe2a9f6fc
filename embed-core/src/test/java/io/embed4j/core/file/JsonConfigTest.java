// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.ModelFormatException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonConfigTest {
    private static final JsonConfig CONFIG = JsonConfig.parse("config.json", """
            {"layers": 12, "whole": 3.0, "half": 2.5, "huge": 1e30, "infinite": 1e999, "eps": 1e-12, "name": "bert",
             "flag": true, "nothing": null, "names": ["cls", "mean"], "mixed": ["cls", 5], "sizes": [1, 2],
             "inner": {"a": "b"}, "list": [{"a": "b"}], "text": "12"}""");

    @TempDir
    private Path folder;

    @Test
    void valuesAreReadByType() {
        assertThat(CONFIG.intValue("layers")).isEqualTo(12);
        assertThat(CONFIG.intValue("whole")).isEqualTo(3);
        assertThat(CONFIG.intValue("nothing", 7)).isEqualTo(7);
        assertThat(CONFIG.intBetween("layers", 1, 12)).isEqualTo(12);
        assertThat(CONFIG.doubleValue("eps")).isEqualTo(1e-12);
        assertThat(CONFIG.doubleValue("huge", 0)).isEqualTo(1e30);
        assertThat(CONFIG.booleanValue("flag", false)).isTrue();
        assertThat(CONFIG.stringValue("name")).isEqualTo("bert");
        assertThat(CONFIG.optionalString("nothing")).isEmpty();
        assertThat(CONFIG.strings("names")).containsExactly("cls", "mean");
        assertThat(CONFIG.strings("name")).containsExactly("bert");
        assertThat(CONFIG.strings("nowhere")).isEmpty();
        assertThat(CONFIG.longs("sizes")).containsExactly(1L, 2L);
        assertThat(CONFIG.objects("list").get(0).stringValue("a")).isEqualTo("b");
        assertThat(CONFIG.objects("nowhere")).isEmpty();
        assertThat(CONFIG.optionalObject("inner").orElseThrow().stringMap()).isEqualTo(Map.of("a", "b"));
        assertThat(CONFIG.has("nothing")).isFalse();
    }

    static List<Arguments> wrongValues() {
        return List.of(
                wrong(c -> c.intValue("half"), "\"half\" must be a whole number, found 2.5."),
                wrong(c -> c.intValue("huge"), "\"huge\" must be a whole number, found 1e30."),
                wrong(c -> c.intValue("name"), "\"name\" must be a whole number, found \"bert\"."),
                wrong(c -> c.intValue("inner"), "\"inner\" must be a whole number, found {\"a\":\"b\"}."),
                wrong(
                        c -> c.intBetween("layers", 13, 20),
                        "\"layers\" must be a whole number from 13 to 20, found 12."),
                wrong(c -> c.doubleValue("infinite"), "\"infinite\" must be a number, found 1e999."),
                wrong(c -> c.doubleValue("flag"), "\"flag\" must be a number, found true."),
                wrong(c -> c.booleanValue("text", false), "\"text\" must be true or false, found \"12\"."),
                wrong(
                        c -> c.booleanValue("names", false),
                        "\"names\" must be true or false, found [\"cls\",\"mean\"]."),
                wrong(c -> c.stringValue("layers"), "\"layers\" must be a string, found 12."),
                wrong(c -> c.strings("mixed"), "\"mixed\" must be a string or an array of strings, found [\"cls\",5]."),
                wrong(c -> c.longs("layers"), "\"layers\" must be an array of whole numbers, found 12."),
                wrong(c -> c.longs("mixed"), "\"mixed\" must be an array of whole numbers, found [\"cls\",5]."),
                wrong(c -> c.objects("sizes"), "\"sizes\" must be an array of objects, found [1,2]."),
                wrong(c -> c.optionalObject("name"), "\"name\" must be an object, found \"bert\"."));
    }

    private static Arguments wrong(Function<JsonConfig, Object> read, String saying) {
        return Arguments.of(read, saying);
    }

    @ParameterizedTest
    @MethodSource("wrongValues")
    void wrongValuesAreNamed(Function<JsonConfig, Object> read, String saying) {
        assertThatThrownBy(() -> read.apply(CONFIG))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("config.json: " + saying);
    }

    @Test
    void missingValuesAreNamedWithWhatTheyShouldBe() {
        assertThatThrownBy(() -> CONFIG.intValue("hidden_size"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("config.json has no \"hidden_size\"; it must be a whole number.");
        assertThatThrownBy(() -> CONFIG.optionalObject("inner").orElseThrow().stringValue("b"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("config.json \"inner\" has no \"b\"; it must be a string.");
    }

    @Test
    void aLongWrongValueIsShownByItsBeginning() {
        JsonConfig config = JsonConfig.parse("x", "{\"a\": [" + "1,".repeat(100_000) + "1]}");
        assertThatThrownBy(() -> config.intValue("a"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("found [1,1,")
                .message()
                .hasSizeLessThan(300)
                .endsWith("....");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "null", "5", "[]", "\"text\""})
    void onlyObjectsAreConfigurations(String text) throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), text);
        assertThatThrownBy(() -> JsonConfig.parse("x", text))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith("x ");
        assertThatThrownBy(() -> JsonConfig.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + " must hold a JSON object.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "{\"a\" 1}", "{\"a\": 1", "{} x", "{\"a\": \"\\u12\"}"})
    void damagedJsonIsNamed(String text) throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), text);
        assertThatThrownBy(() -> JsonConfig.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file + " is not valid JSON: ");
    }

    /** A parser that recurses without a limit would end in a StackOverflowError. */
    @ParameterizedTest
    @ValueSource(strings = {"{\"a\":", "{\"a\":[["})
    void nestingTooDeepIsNamed(String opening) throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), opening.repeat(100_000));
        assertThatThrownBy(() -> JsonConfig.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file + " is not valid JSON: ");
    }

    @Test
    void pythonsNaNIsBorneUnderKeysThatNobodyReads() throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), "{\"a\": NaN, \"b\": [Infinity], \"c\": 3}");
        assertThat(JsonConfig.read(file).intValue("c")).isEqualTo(3);
        assertThatThrownBy(() -> JsonConfig.read(file).doubleValue("a"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + ": \"a\" must be a number, found \"NaN\".");
    }

    @Test
    void arraysOfObjectsAreRead() throws IOException {
        Path file = Files.writeString(folder.resolve("modules.json"), "[{\"a\": \"x\"}, {\"a\": \"y\"}]");
        assertThat(JsonConfig.readArray(file))
                .extracting(entry -> entry.stringValue("a"))
                .containsExactly("x", "y");
        Files.writeString(file, "{}");
        assertThatThrownBy(() -> JsonConfig.readArray(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + " must hold a JSON array.");
        Files.writeString(file, "[5]");
        assertThatThrownBy(() -> JsonConfig.readArray(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + " must hold JSON objects only, found 5.");
    }

    @Test
    void filesThatCannotBeReadAreNamed() throws IOException {
        Path missing = folder.resolve("config.json");
        assertThatThrownBy(() -> JsonConfig.read(missing))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(missing + " is missing.");
        assertThatThrownBy(() -> JsonConfig.read(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder + " cannot be read: ");
        Path notUtf8 =
                Files.write(folder.resolve("latin1.json"), new byte[] {'{', '"', (byte) 0xE4, '"', ':', '1', '}'});
        assertThatThrownBy(() -> JsonConfig.read(notUtf8))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(notUtf8 + " cannot be read: ");
    }

    @Test
    void aHugeFileIsNotAConfiguration() throws IOException {
        Path file = folder.resolve("config.json");
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(1L << 30);
        }
        assertThatThrownBy(() -> JsonConfig.read(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(file + " has 1073741824 bytes, too many for a configuration file.");
    }
}
