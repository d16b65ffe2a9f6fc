// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.EmbedderFactory;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command with the real library and the embedded model on the CPU. */
class EndToEndTest {
    private static final List<String> TEXTS = List.of("a cat sleeps", "", "stock prices fell");

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final StringWriter err = new StringWriter();

    @Test
    void encodeGivesTheVectorsOfEmbed(@TempDir Path directory) throws Exception {
        List<String> printed = run("-d", "cpu", TEXTS.get(0), TEXTS.get(1), TEXTS.get(2));
        assertThat(printed).hasSize(3);

        Path input = Files.write(directory.resolve("texts.txt"), TEXTS);
        List<String> lines = run("encode", "-d", "cpu", "-i", input.toString(), "-o", "-");
        assertThat(lines).hasSize(3);
        assertThat(err.toString()).contains("3 texts, ");

        for (int row = 0; row < TEXTS.size(); row++) {
            JsonArray embedded = JsonParser.parseString(printed.get(row)).getAsJsonArray();
            JsonObject encoded = JsonParser.parseString(lines.get(row)).getAsJsonObject();
            assertThat(encoded.getAsJsonArray("embedding")).isEqualTo(embedded);
            assertThat(embedded).hasSize(384);
            double square = 0;
            for (int i = 0; i < embedded.size(); i++) {
                square += Math.pow(embedded.get(i).getAsDouble(), 2);
            }
            assertThat(square).isCloseTo(1, within(1e-6));
        }
    }

    @Test
    void aWrongOptionIsTheUsersNotOurs() {
        assertThat(exitCode("--prompt-name", "quarry", "text")).isEqualTo(2);
        assertThat(exitCode("-m", "/no/such/model", "text")).isEqualTo(1);
        assertThat(err.toString().lines()).hasSize(2).allMatch(line -> line.startsWith("embed: "));
        assertThat(out.size()).isZero();
    }

    private List<String> run(String... args) {
        out.reset();
        assertThat(exitCode(args)).as(err.toString()).isZero();
        return out.toString(StandardCharsets.UTF_8).lines().toList();
    }

    private int exitCode(String... args) {
        Terminal terminal = new Terminal(InputStream.nullInputStream(), out, new PrintWriter(err, true), false);
        return Main.run(args, EmbedderFactory::find, terminal);
    }
}
