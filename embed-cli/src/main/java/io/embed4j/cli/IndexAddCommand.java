// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.IndexOptions;
import io.embed4j.VectorIndex;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code embed index add}: more texts into an index. */
@Command(
        name = "add",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Embeds a file of texts and adds them to an index.",
        footer = {"", "All texts are added or, if one cannot be, none. Only what is new is written."})
final class IndexAddCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(names = "--index", required = true, paramLabel = "DIR", description = "The index's directory.")
    private Path directory = Path.of("");

    @Mixin
    private IndexedTexts indexed = new IndexedTexts();

    @Mixin
    private RunOptions run = new RunOptions();

    IndexAddCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        IndexModel model = IndexModel.read(directory);
        EmbedderOptions options = run.toEmbedderOptions(model.model());
        EmbedderFactory factory = embedders.get();
        try (TextInput texts = indexed.open(terminal);
                VectorIndex index = factory.loadIndex(directory, IndexOptions.defaults());
                Embedder embedder = factory.open(options)) {
            IndexModel.requireDimension(index, indexed.dimension(embedder));
            indexed.addTo(texts, embedder, index, terminal);
            index.save(directory);
            terminal.err().println(index.size() + " texts in " + directory);
        }
        return 0;
    }
}
