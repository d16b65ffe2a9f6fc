// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.Embeddings;
import io.embed4j.InvalidTextException;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;

/** {@code embed TEXT...}: one vector a line. */
@Command(
        name = "embed",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        customSynopsis = {"embed [OPTIONS] TEXT...", "       embed COMMAND [OPTIONS]"},
        description = "Turns texts into vectors: a JSON array of numbers per text and line on stdout.",
        footer = {
            "",
            "A text that begins with - or is a command's name goes after --: embed -- encode",
            "Exit code: 0; 1 if the work failed; 2 if the arguments are wrong; 141, without a word, if the reader"
                    + " of standard output has gone."
        })
final class EmbedCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Parameters(paramLabel = "TEXT", arity = "0..*", description = "Texts to embed.")
    private String[] texts = {};

    @Mixin
    private LoadOptions load = new LoadOptions();

    @Mixin
    private CallOptions call = new CallOptions();

    @Option(
            names = {"-v", "--verbose"},
            scope = ScopeType.INHERIT,
            description = "Log what happens; show stack traces.")
    @SuppressWarnings("UnusedVariable") // Main looks for it before parsing: loggers read their level once
    private boolean verbose;

    EmbedCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        if (texts.length == 0) {
            throw CliException.usage("Nothing to embed. Give a text: embed \"some text\". See embed --help.");
        }
        EmbedderOptions embedderOptions = load.toEmbedderOptions();
        EmbedOptions embedOptions = call.toEmbedOptions();
        try (Embedder embedder = DownloadLine.open(embedders.get(), embedderOptions, terminal)) {
            Embeddings vectors = embed(embedder, embedOptions);
            print(vectors);
            Tally tally = new Tally(embedder.model().maxTokens());
            tally.add(vectors);
            tally.cutNotice().ifPresent(terminal.err()::println);
        }
        return 0;
    }

    private Embeddings embed(Embedder embedder, EmbedOptions options) {
        try {
            call.check(embedder);
            return embedder.embed(List.of(texts), options);
        } catch (InvalidTextException e) {
            throw CallOptions.refused("text " + (e.index() + 1), e);
        }
    }

    private void print(Embeddings vectors) {
        JsonBytes json = new JsonBytes(terminal.out());
        try {
            for (int row = 0; row < vectors.size(); row++) {
                json.array(vectors.vector(row));
                json.ascii("\n");
            }
            json.flush();
        } catch (IOException e) {
            throw CliException.ofStandardOutput(e);
        }
    }
}
