// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.Embeddings;
import io.embed4j.InvalidTextException;
import java.util.Iterator;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code embed encode}: a file of texts to a file of vectors in constant memory. Whatever can be refused is refused
 * before the model is loaded; the output appears whole or not at all.
 */
@Command(
        name = "encode",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Embeds a file of texts.",
        footer = {
            "",
            "A blank line of a .txt file is a text too: output rows are input lines.",
            "The output appears under its name when it is complete, never before."
        })
final class EncodeCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Option(
            names = {"-i", "--input"},
            required = true,
            paramLabel = "FILE",
            description = ".txt with a text per line, .jsonl with an object per line, or - for text lines on stdin;"
                    + " UTF-8.")
    private String input = "";

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "FILE",
            description = ".npy, .safetensors (tensor \"embeddings\") or .jsonl; - for .jsonl on stdout.")
    private String output = "";

    @Option(
            names = "--field",
            paramLabel = "NAME",
            description = "The field of a .jsonl line that holds the text. Default: text.")
    private @Nullable String field;

    @Mixin
    private LoadOptions load = new LoadOptions();

    @Mixin
    private CallOptions call = new CallOptions();

    EncodeCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        EmbedderOptions embedderOptions = load.toEmbedderOptions();
        EmbedOptions embedOptions = call.toEmbedOptions();
        try (TextInput texts = TextInput.open(input, field, terminal.in());
                VectorOutput vectors = VectorOutput.open(output, texts, terminal.out());
                Embedder embedder = DownloadLine.open(embedders.get(), embedderOptions, terminal)) {
            vectors.begin(call.check(embedder).dimension());
            Tally tally = new Tally(embedder.model().maxTokens());
            long startNanos = System.nanoTime();
            encode(embedder, embedOptions, texts, vectors, tally);
            terminal.err().println(tally.summary(System.nanoTime() - startNanos));
            tally.cutNotice().ifPresent(terminal.err()::println);
        }
        return 0;
    }

    private void encode(Embedder embedder, EmbedOptions options, TextInput texts, VectorOutput vectors, Tally tally) {
        try (ProgressLine progress = progressLine(texts)) {
            Iterator<Embeddings> chunks = embedder.stream(texts, options, progress);
            while (chunks.hasNext()) {
                Embeddings chunk = chunks.next();
                vectors.write(chunk);
                tally.add(chunk);
            }
            vectors.commit();
        } catch (InvalidTextException e) {
            throw CallOptions.refused(texts.place(e.index()), e);
        }
    }

    /** Only where a person watches, and where vectors on stdout do not run over the line. */
    private ProgressLine progressLine(TextInput texts) {
        boolean shown = terminal.errIsTerminal() && !output.equals(VectorOutput.STANDARD_OUTPUT);
        return new ProgressLine(terminal.err(), shown, shown ? texts.countLines() : 0, System::nanoTime);
    }
}
