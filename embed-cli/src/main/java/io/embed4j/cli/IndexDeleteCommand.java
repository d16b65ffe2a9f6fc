// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedderFactory;
import io.embed4j.IndexOptions;
import io.embed4j.VectorIndex;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code embed index delete}: texts out of an index. */
@Command(
        name = "delete",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Deletes texts from an index by their ids; unknown ids are passed over.")
final class IndexDeleteCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(names = "--index", required = true, paramLabel = "DIR", description = "The index's directory.")
    private Path directory = Path.of("");

    @Parameters(paramLabel = "ID", arity = "1..*", description = "Ids of the texts to delete.")
    private List<String> ids = List.of();

    IndexDeleteCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        try (VectorIndex index = embedders.get().loadIndex(directory, IndexOptions.defaults())) {
            int deleted = index.delete(ids);
            index.save(directory);
            terminal.err()
                    .println(deleted + " of " + ids.size() + " deleted, " + index.size() + " texts in " + directory);
        }
        return 0;
    }
}
