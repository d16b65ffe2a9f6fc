// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.JsonObject;
import io.embed4j.EmbedderFactory;
import io.embed4j.HelpTopic;
import io.embed4j.IndexOptions;
import io.embed4j.VectorIndex;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code embed index stats}: what an index holds. */
@Command(
        name = "stats",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Checks an index byte for byte and says what it holds.")
final class IndexStatsCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(names = "--index", required = true, paramLabel = "DIR", description = "The index's directory.")
    private Path directory = Path.of("");

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    IndexStatsCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        IndexModel model = IndexModel.read(directory);
        try (VectorIndex index = embedders.get().loadIndex(directory, IndexOptions.defaults())) {
            JsonObject stats = new JsonObject();
            stats.addProperty("texts", index.size());
            stats.addProperty("deleted", index.rows() - index.size());
            stats.addProperty("dimension", index.dimension());
            stats.addProperty("similarity", index.options().similarity().toString());
            stats.addProperty("model", model.model());
            stats.addProperty("bytes", bytes());
            terminal.print(json ? Terminal.toJson(stats) : lines(stats));
        }
        return 0;
    }

    private static String lines(JsonObject stats) {
        StringBuilder lines = new StringBuilder();
        stats.entrySet()
                .forEach(entry -> lines.append(String.format(
                        Locale.ROOT,
                        "%-10s  %s%n",
                        entry.getKey(),
                        entry.getValue().getAsString())));
        return lines.toString();
    }

    private long bytes() {
        try (Stream<Path> files = Files.list(directory)) {
            return files.mapToLong(file -> {
                        try {
                            return Files.size(file);
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    })
                    .sum();
        } catch (IOException | UncheckedIOException e) {
            throw CliException.failed(HelpTopic.CANNOT_READ, "--index " + directory + " cannot be read: " + e, e);
        }
    }
}
