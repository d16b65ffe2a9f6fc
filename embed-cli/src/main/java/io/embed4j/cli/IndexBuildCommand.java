// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.IndexOptions;
import io.embed4j.VectorIndex;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code embed index build}: a file of texts to a new index. */
@Command(
        name = "build",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Embeds a file of texts and saves them as an index.",
        footer = {"", "The index appears when it is complete, never before; a build that fails leaves nothing."})
final class IndexBuildCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Mixin
    private IndexedTexts indexed = new IndexedTexts();

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIR",
            description = "The index's directory; made if it is not there.")
    private Path output = Path.of("");

    @Mixin
    private LoadOptions load = new LoadOptions();

    IndexBuildCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        EmbedderOptions options = load.toEmbedderOptions();
        if (Files.exists(output.resolve("manifest.json"))) {
            throw CliException.usage("--output " + output
                    + " holds an index already. Add to it with embed index add, or name another directory.");
        }
        EmbedderFactory factory = embedders.get();
        try (TextInput texts = indexed.open(terminal);
                Embedder embedder = factory.open(options)) {
            int dimension = indexed.dimension(embedder);
            IndexModel model = new IndexModel(options.model(), dimension);
            try (UnfinishedIndex unfinished = UnfinishedIndex.create(output, model);
                    VectorIndex index =
                            factory.index(dimension, IndexOptions.defaults().withStringIds(true))) {
                indexed.addTo(texts, embedder, index, terminal);
                unfinished.finish(index);
                terminal.err().println(index.size() + " texts in " + output);
            }
        }
        return 0;
    }
}
