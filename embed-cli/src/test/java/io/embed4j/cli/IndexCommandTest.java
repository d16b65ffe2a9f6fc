// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.EmbedderFactory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code embed index} with the real library and the embedded model on the CPU. */
class IndexCommandTest {
    private static final Path ROOT =
            Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
    private static final Pattern WALK_THROUGH =
            Pattern.compile("<!-- index-walk-through -->\\n```\\n(.*?)\\n```", Pattern.DOTALL);
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");

    @TempDir
    private Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final StringWriter err = new StringWriter();

    private int exitCode(String... args) {
        out.reset();
        err.getBuffer().setLength(0);
        Terminal terminal = new Terminal(InputStream.nullInputStream(), out, new PrintWriter(err, true), false);
        return Main.run(args, EmbedderFactory::find, terminal);
    }

    private String run(String... args) {
        assertThat(exitCode(args)).as(err.toString()).isZero();
        return out.toString(StandardCharsets.UTF_8);
    }

    private String build(String name, String... lines) throws IOException {
        Path input = Files.write(folder.resolve(name), List.of(lines));
        String index = folder.resolve(name + "-index").toString();
        run("index", "build", "-d", "cpu", "-i", input.toString(), "-o", index);
        return index;
    }

    private static JsonArray hits(String json) {
        return JsonParser.parseString(json)
                .getAsJsonArray()
                .get(0)
                .getAsJsonObject()
                .getAsJsonArray("hits");
    }

    private static List<String> ids(JsonArray hits) {
        List<String> ids = new ArrayList<>();
        hits.forEach(hit -> ids.add(hit.getAsJsonObject().get("id").getAsString()));
        return ids;
    }

    @Test
    void textsAreFoundAddedAndDeleted() throws IOException {
        String index = build(
                "a.jsonl",
                "{\"id\": \"cat\", \"text\": \"a cat sleeps\"}",
                "{\"id\": 7, \"text\": \"stock prices fell\", \"more\": []}");
        String[] search = {"index", "search", "-d", "cpu", "--index", index, "-q", "a dog naps", "--json"};
        JsonArray found = hits(run(search));
        assertThat(ids(found)).containsExactly("cat", "7");
        assertThat(found.get(0).getAsJsonObject().get("score").getAsDouble()).isBetween(0.3, 0.9);

        Path more = Files.write(folder.resolve("more.jsonl"), List.of("{\"text\": \"a dog sleeps\", \"id\": \"dog\"}"));
        run("index", "add", "-d", "cpu", "--index", index, "-i", more.toString());
        assertThat(err.toString()).contains("3 texts in " + index);
        assertThat(ids(hits(run(search)))).containsExactly("dog", "cat", "7");
        assertThat(exitCode("index", "add", "-d", "cpu", "--index", index, "-i", more.toString()))
                .isEqualTo(1);
        assertThat(err.toString()).contains("The id dog is in the index already, as row 2.");

        run("index", "delete", "--index", index, "cat", "none");
        assertThat(err.toString()).contains("1 of 2 deleted, 2 texts in " + index);
        assertThat(ids(hits(run(search)))).containsExactly("dog", "7");

        JsonObject stats = JsonParser.parseString(run("index", "stats", "--index", index, "--json"))
                .getAsJsonObject();
        assertThat(stats.get("texts").getAsInt()).isEqualTo(2);
        assertThat(stats.get("deleted").getAsInt()).isEqualTo(1);
        assertThat(stats.get("dimension").getAsInt()).isEqualTo(384);
        assertThat(stats.get("model").getAsString()).isEqualTo("embedded:all-minilm-l6-v2");
        assertThat(run("index", "stats", "--index", index).lines()).hasSize(6).contains("similarity  cosine");

        run("index", "compact", "--index", index);
        assertThat(err.toString()).contains("1 deleted texts left out of " + index);
        assertThat(run("index", "stats", "--index", index)).contains("texts       2", "deleted     0");
        assertThat(ids(hits(run(search)))).containsExactly("dog", "7");
    }

    @Test
    void linesOfTextHaveTheirNumbers() throws IOException {
        String index = build("b.txt", "the sun is hot", "ice is cold");
        List<String> lines = run(
                        "index",
                        "search",
                        "-d",
                        "cpu",
                        "--index",
                        index,
                        "-q",
                        "winter",
                        "-q",
                        "summer heat",
                        "-k",
                        "1",
                        "--texts",
                        folder.resolve("b.txt").toString())
                .lines()
                .toList();
        assertThat(lines).hasSize(5);
        assertThat(lines.get(0)).isEqualTo("# winter");
        assertThat(lines.get(1)).matches("0\\.\\d{4}  2  ice is cold");
        assertThat(lines.get(4)).matches("0\\.\\d{4}  1  the sun is hot");
    }

    @Test
    void whatCannotBeIsNamed() throws IOException {
        String index = build("c.txt", "one");
        Path input = folder.resolve("c.txt");
        assertThat(exitCode("index", "build", "-i", input.toString(), "-o", index))
                .isEqualTo(2);
        assertThat(err.toString()).contains("holds an index already. Add to it with embed index add");
        assertThat(exitCode("index")).isEqualTo(2);
        assertThat(err.toString())
                .contains("Say what to do: embed index build, add, delete, compact, stats or search.");
        assertThat(exitCode("index", "search", "--index", folder.toString(), "-q", "x"))
                .isEqualTo(1);
        assertThat(err.toString()).contains("is no index of texts: it has no model.json.", "#index-file");
        assertThat(exitCode("index", "search", "--index", index, "-q", "x", "-k", "5000"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("-k must be 1 to 4096, found 5000.");
        for (String line :
                List.of("{\"text\": \"x\"}", "{\"id\": 1.5, \"text\": \"x\"}", "{\"id\": null, \"text\": \"x\"}")) {
            Path bad = Files.write(folder.resolve("bad.jsonl"), List.of("{\"id\": 1, \"text\": \"x\"}", line));
            assertThat(exitCode("index", "add", "-d", "cpu", "--index", index, "-i", bad.toString()))
                    .isEqualTo(1);
            assertThat(err.toString()).contains("bad.jsonl, line 2: ").containsAnyOf("no field \"id\"", "\"id\" is ");
        }
        assertThat(run("index", "stats", "--index", index)).contains("texts       1");
    }

    /** Texts are read some windows ahead of their vectors. */
    @Test
    void moreTextsThanAreReadAheadHaveTheirIds() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 1100; i++) {
            lines.add("{\"id\": \"number " + i + "\", \"text\": \"n " + i + "\"}");
        }
        Path input = Files.write(folder.resolve("many.jsonl"), lines);
        String index = folder.resolve("many").toString();
        run("index", "build", "-d", "cpu", "-i", input.toString(), "-o", index);
        assertThat(err.toString()).contains("1100 texts in " + index);
        int[] numbers = {0, 511, 512, 1024, 1099};
        List<String> search = new ArrayList<>(List.of("index", "search", "-d", "cpu", "--index", index, "-k", "1"));
        IntStream.of(numbers).forEach(i -> search.addAll(List.of("-q", "n " + i)));
        String found = run(search.toArray(String[]::new));
        for (int i : numbers) {
            assertThat(found).containsPattern("# n " + i + "\\n[01]\\.\\d{4}  number " + i + "\\n");
        }
    }

    @Test
    void theIndexIsHeldAsIsAsked() throws IOException {
        String index = build("d.txt", "the sun is hot", "ice is cold", "a dog naps");
        List<String> search = List.of("index", "search", "-d", "cpu", "--index", index, "-q", "winter", "-k", "50");
        String exact = run(search.toArray(String[]::new));
        assertThat(exact.lines()).hasSize(3);
        for (List<String> more : List.of(List.of("--storage", "fp16"), List.of("--storage", "fp32", "--approximate"))) {
            List<String> asked = new ArrayList<>(search);
            asked.addAll(more);
            assertThat(run(asked.toArray(String[]::new))).isEqualTo(exact);
        }
        List<String> asked = new ArrayList<>(search);
        asked.addAll(List.of("--storage", "int8"));
        assertThat(exitCode(asked.toArray(String[]::new))).isEqualTo(2);
        assertThat(err.toString()).contains("--storage: An index stores fp32, fp16 or bf16, not int8.");
        assertThat(exitCode("index", "search", "-d", "cuda:77", "--index", index, "-q", "x"))
                .isEqualTo(1);
        assertThat(err.toString()).contains("cuda:77");
        assertThat(exitCode("index", "search", "-d", "gpu", "--index", index, "-q", "x"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("Unknown device \"gpu\".");
        assertThat(exitCode("index", "search", "-d", "cpu", "--index", index, "-q", "x", "--dimension", "100"))
                .isEqualTo(2);
        assertThat(err.toString())
                .contains("The vectors would have 100 numbers; the index holds vectors of 384. Set --dimension 384.");
    }

    /** Ids are what they are; a table shows each on its line, JSON as it is. */
    @Test
    void idsMayHoldAnything() throws IOException {
        String index =
                build("e.jsonl", "{\"id\": \"a \\\"b\\\"\\nc\", \"text\": \"x\"}", "{\"id\": \"\", \"text\": \"y\"}");
        String[] search = {"index", "search", "-d", "cpu", "--index", index, "-q", "x"};
        assertThat(run(search).lines()).hasSize(2).first().asString().endsWith("  a \"b\" c");
        List<String> json = new ArrayList<>(List.of(search));
        json.add("--json");
        assertThat(ids(hits(run(json.toArray(String[]::new))))).containsExactly("a \"b\"\nc", "");
        run("index", "delete", "--index", index, "a \"b\"\nc", "");
        assertThat(err.toString()).contains("2 of 2 deleted, 0 texts in");
        assertThat(run(search)).isEmpty();
        assertThat(run(json.toArray(String[]::new))).contains("\"hits\": []");
        Path twice = Files.write(
                folder.resolve("twice.jsonl"),
                List.of("{\"id\": 1, \"text\": \"x\"}", "{\"id\": \"1\", \"text\": \"y\"}"));
        assertThat(exitCode("index", "add", "-d", "cpu", "--index", index, "-i", twice.toString()))
                .isEqualTo(1);
        assertThat(err.toString())
                .contains("twice.jsonl, line 2: the id 1 was there before. Every text needs an id of its own.");
        assertThat(run("index", "stats", "--index", index)).contains("texts       0");
    }

    @Test
    void filesThatAreNoneOfOursAreNamed() throws IOException {
        String index = build("f.txt", "one", "two");
        Path segment = Path.of(index, "segment-00000001.safetensors");
        byte[] whole = Files.readAllBytes(segment);
        String[] stats = {"index", "stats", "--index", index};
        Files.write(segment, Arrays.copyOf(whole, whole.length - 3));
        assertThat(exitCode(stats)).isEqualTo(1);
        assertThat(err.toString()).contains("segment-00000001.safetensors", "#index-file");
        byte[] flipped = whole.clone();
        flipped[whole.length / 2] ^= 1;
        Files.write(segment, flipped);
        assertThat(exitCode("index", "search", "-d", "cpu", "--index", index, "-q", "x"))
                .isEqualTo(1);
        assertThat(err.toString()).contains("segment-00000001.safetensors", "#index-file");
        Files.delete(segment);
        assertThat(exitCode(stats)).isEqualTo(1);
        assertThat(err.toString()).contains("segment-00000001.safetensors", "#index-file");
        Files.write(segment, whole);
        Files.writeString(Path.of(index, "manifest.json"), "{\"format\": \"faiss\"}");
        assertThat(exitCode(stats)).isEqualTo(1);
        assertThat(err.toString()).contains("manifest.json", "#index-file");
        Files.writeString(Path.of(index, "model.json"), "[]");
        assertThat(exitCode(stats)).isEqualTo(1);
        assertThat(err.toString()).contains("model.json names no model.", "#index-file");
        String file = folder.resolve("f.txt").toString();
        assertThat(exitCode("index", "build", "-d", "cpu", "-i", file, "-o", file))
                .isEqualTo(1);
        assertThat(err.toString())
                .contains("Cannot write to --output " + file + ": a file of that name is there already");
        for (String gone : List.of("none.jsonl", folder.toString())) {
            assertThat(exitCode(
                            "index",
                            "build",
                            "-d",
                            "cpu",
                            "-i",
                            gone,
                            "-o",
                            folder.resolve("g").toString()))
                    .isIn(1, 2);
            assertThat(err.toString()).contains(gone);
        }
    }

    /** Whatever fails, the directory is as it was: not there, or with what was in it. */
    @Test
    void aBuildThatFailsLeavesNothing() throws IOException {
        Path bad = Files.write(
                folder.resolve("bad.jsonl"), List.of("{\"id\": 1, \"text\": \"x\"}", "{\"id\": 2, \"text\": 3}"));
        Path good = Files.write(folder.resolve("good.txt"), List.of("the sun is hot"));
        Path output = folder.resolve("new");
        assertThat(exitCode(
                        "index",
                        "build",
                        "-d",
                        "cpu",
                        "-i",
                        bad.toString(),
                        "-o",
                        output.resolve("a/b").toString()))
                .isEqualTo(1);
        assertThat(err.toString()).contains("bad.jsonl, line 2: ");
        assertThat(output).doesNotExist();

        Files.createDirectories(output.resolve("manifest.json.part/in-the-way"));
        Files.writeString(output.resolve("notes.txt"), "mine");
        String[] build = {"index", "build", "-d", "cpu", "-i", good.toString(), "-o", output.toString()};
        assertThat(exitCode("index", "build", "-d", "cpu", "-i", bad.toString(), "-o", output.toString()))
                .isEqualTo(1);
        assertThat(names(output)).containsExactly("manifest.json.part", "notes.txt");
        assertThat(exitCode(build)).isEqualTo(1);
        assertThat(err.toString()).contains("The index could not be saved to " + output);
        assertThat(names(output)).containsExactly("manifest.json.part", "notes.txt");
        Files.writeString(output.resolve("model.json"), "mine too");
        assertThat(exitCode(build)).isEqualTo(1);
        assertThat(names(output)).containsExactly("manifest.json.part", "model.json", "notes.txt");
        assertThat(output.resolve("model.json")).hasContent("mine too");

        Files.delete(output.resolve("manifest.json.part/in-the-way"));
        Files.delete(output.resolve("manifest.json.part"));
        run(build);
        assertThat(names(output))
                .containsExactly("lock", "manifest.json", "model.json", "notes.txt", "segment-00000001.safetensors");
        assertThat(run("index", "stats", "--index", output.toString())).contains("texts       1");
    }

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .sorted()
                    .toList();
        }
    }

    /** The fields of --texts are named as those of --input; what is wrong is said of --texts. */
    @Test
    void textsAreFoundInOtherFields() throws IOException {
        Path input = Files.write(folder.resolve("h.jsonl"), List.of("{\"key\": \"k\", \"body\": \"the sun is hot\"}"));
        String index = folder.resolve("h").toString();
        String[] fields = {"--field", "body", "--id-field", "key"};
        run(with(fields, "index", "build", "-d", "cpu", "-i", input.toString(), "-o", index));
        String[] search = {"index", "search", "-d", "cpu", "--index", index, "-q", "summer", "--texts"};
        assertThat(run(with(fields, with(new String[] {input.toString()}, search))))
                .matches("0\\.\\d{4}  k  the sun is hot\n");
        assertThat(exitCode(with(new String[] {"h.csv"}, search))).isEqualTo(2);
        assertThat(err.toString()).contains("Unknown input format: --texts h.csv.");
    }

    private static String[] with(String[] more, String... words) {
        return Stream.concat(Stream.of(words), Stream.of(more)).toArray(String[]::new);
    }

    /** The README shows what the command prints, up to the last digit of a score. */
    @Test
    void theWalkThroughOfTheReadmeIsTrue() throws IOException {
        Matcher section = WALK_THROUGH.matcher(Files.readString(ROOT.resolve("README.md")));
        assertThat(section.find()).isTrue();
        List<String> printed = new ArrayList<>();
        List<String> shown = new ArrayList<>();
        for (String line : section.group(1).lines().toList()) {
            if (line.startsWith("$ ./embed ")) {
                assertThat(shown).hasSameSizeAs(printed);
                for (int i = 0; i < shown.size(); i++) {
                    checkLine(shown.get(i), printed.get(i));
                }
                printed = run(words(line.substring("$ ./embed ".length())))
                        .lines()
                        .toList();
                shown.clear();
            } else {
                shown.add(line);
            }
        }
        assertThat(shown).isNotEmpty().hasSameSizeAs(printed);
        for (int i = 0; i < shown.size(); i++) {
            checkLine(shown.get(i), printed.get(i));
        }
    }

    private static void checkLine(String shown, String printed) {
        if (shown.matches("0\\.\\d{4}  .*")) {
            assertThat(Double.parseDouble(printed.substring(0, 6)))
                    .as(shown)
                    .isCloseTo(Double.parseDouble(shown.substring(0, 6)), within(0.000101));
            assertThat(printed.substring(6)).isEqualTo(shown.substring(6));
        } else {
            assertThat(printed).isEqualTo(shown);
        }
    }

    /** The words of a command line, files of the repository and of the index in their places. */
    private String[] words(String line) {
        List<String> words = new ArrayList<>();
        Matcher word = WORD.matcher(line);
        while (word.find()) {
            String text = word.group(1) != null ? word.group(1) : word.group(2);
            words.add(
                    text.startsWith("docs/")
                            ? ROOT.resolve(text).toString()
                            : text.equals("rights") ? folder.resolve(text).toString() : text);
        }
        return words.toArray(String[]::new);
    }
}
