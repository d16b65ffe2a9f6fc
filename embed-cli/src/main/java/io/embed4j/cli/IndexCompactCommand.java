// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedderFactory;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code embed index compact}: an index without its deleted texts. */
@Command(
        name = "compact",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Writes an index anew without what was deleted, which otherwise keeps its place.",
        footer = {"", "The old index is there until the new one is complete."})
final class IndexCompactCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(names = "--index", required = true, paramLabel = "DIR", description = "The index's directory.")
    private Path directory = Path.of("");

    IndexCompactCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        IndexModel.read(directory);
        int left = embedders.get().compactIndex(directory);
        terminal.err().println(left + " deleted texts left out of " + directory);
        return 0;
    }
}
