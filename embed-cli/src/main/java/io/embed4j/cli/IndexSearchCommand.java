// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.Hits;
import io.embed4j.IndexOptions;
import io.embed4j.InvalidTextException;
import io.embed4j.TextIndex;
import io.embed4j.TextRole;
import io.embed4j.VectorIndex;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code embed index search}: the texts nearest to a text. */
@Command(
        name = "search",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Finds the texts of an index that are nearest to a query: exact top-k by cosine.",
        footer = {"", "Prints score and id of each text, and with --texts the text itself."})
final class IndexSearchCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(names = "--index", required = true, paramLabel = "DIR", description = "The index's directory.")
    private Path directory = Path.of("");

    @Option(
            names = {"-q", "--query"},
            required = true,
            paramLabel = "TEXT",
            description = "What to look for; may be given several times.")
    private List<String> queries = List.of();

    @Option(
            names = "-k",
            paramLabel = "K",
            description = "How many texts to find, 1 to 4096. Default: ${DEFAULT-VALUE}.")
    private int k = 10;

    @Option(
            names = "--texts",
            paramLabel = "FILE",
            description = "The file that the index was built from, to print the texts that were found.")
    private @Nullable String texts;

    @Mixin
    private TextFields fields = new TextFields();

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Mixin
    private RunOptions run = new RunOptions();

    @Mixin
    private SearchOptions search = new SearchOptions();

    @Mixin
    private CallOptions call = new CallOptions();

    IndexSearchCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        if (k < 1 || k > VectorIndex.MAX_K) {
            throw CliException.usage("-k must be 1 to " + VectorIndex.MAX_K + ", found " + k + ".");
        }
        EmbedderOptions options =
                run.toEmbedderOptions(IndexModel.read(directory).model());
        IndexOptions indexOptions = search.toIndexOptions(run.device());
        EmbedderFactory factory = embedders.get();
        Hits hits;
        try (VectorIndex index = factory.loadIndex(directory, indexOptions);
                Embedder embedder = factory.open(options)) {
            IndexModel.requireDimension(
                    index, call.inRole(TextRole.QUERY).check(embedder).dimension());
            hits = search(new TextIndex(embedder, index, call.toEmbedOptions(), call.toEmbedOptions()));
        }
        Map<String, String> found = foundTexts(hits);
        terminal.print(json ? toJson(hits, found) : toTable(hits, found));
        return 0;
    }

    private Hits search(TextIndex texts) {
        try {
            return texts.search(queries, k, null);
        } catch (InvalidTextException e) {
            throw CallOptions.refused("query " + (e.index() + 1), e);
        }
    }

    private Map<String, String> foundTexts(Hits hits) {
        Map<String, String> found = new HashMap<>();
        if (texts != null) {
            Set<String> ids = new HashSet<>();
            for (int query = 0; query < hits.queries(); query++) {
                for (int rank = 0; rank < hits.count(query); rank++) {
                    ids.add(hits.stringId(query, rank));
                }
            }
            try (TextInput input = fields.open("--texts", texts, terminal.in())) {
                while (input.hasNext()) {
                    String text = input.next();
                    if (ids.contains(input.id())) {
                        found.put(input.id(), text);
                    }
                }
            }
        }
        return found;
    }

    private String toTable(Hits hits, Map<String, String> found) {
        StringBuilder table = new StringBuilder();
        for (int query = 0; query < hits.queries(); query++) {
            if (queries.size() > 1) {
                table.append(query == 0 ? "" : "\n")
                        .append("# ")
                        .append(onOneLine(queries.get(query)))
                        .append('\n');
            }
            for (int rank = 0; rank < hits.count(query); rank++) {
                String id = hits.stringId(query, rank);
                table.append(String.format(Locale.ROOT, "%.4f  %s", hits.score(query, rank), onOneLine(id)));
                if (found.containsKey(id)) {
                    table.append("  ").append(onOneLine(String.valueOf(found.get(id))));
                }
                table.append('\n');
            }
        }
        return table.toString();
    }

    private static String onOneLine(String text) {
        return text.replaceAll("\\R", " ");
    }

    private String toJson(Hits hits, Map<String, String> found) {
        JsonArray answers = new JsonArray();
        for (int query = 0; query < hits.queries(); query++) {
            JsonArray list = new JsonArray();
            for (int rank = 0; rank < hits.count(query); rank++) {
                JsonObject hit = new JsonObject();
                String id = hits.stringId(query, rank);
                hit.addProperty("id", id);
                hit.addProperty("score", hits.score(query, rank));
                if (found.containsKey(id)) {
                    hit.addProperty("text", found.get(id));
                }
                list.add(hit);
            }
            JsonObject answer = new JsonObject();
            answer.addProperty("query", queries.get(query));
            answer.add("hits", list);
            answers.add(answer);
        }
        return Terminal.toJson(answers);
    }
}
