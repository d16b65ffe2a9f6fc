// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.HelpTopic;
import io.embed4j.InvalidTextException;
import io.embed4j.TextRole;
import io.embed4j.VectorIndex;
import io.embed4j.VectorRows;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import java.util.stream.Stream;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The texts that {@code build} and {@code add} read, and their way into an index. */
final class IndexedTexts {

    @Option(
            names = {"-i", "--input"},
            required = true,
            paramLabel = "FILE",
            description =
                    ".jsonl with an object per line that has an id and a text, or .txt with a text per line, whose"
                            + " number is its id; UTF-8.")
    private String input = "";

    @Mixin
    private TextFields fields = new TextFields();

    @Mixin
    private CallOptions call = new CallOptions();

    /** Opens the input, before anything costly happens. */
    TextInput open(Terminal terminal) {
        return fields.open("--input", input, terminal.in());
    }

    /** The length of the vectors that the options ask for. */
    int dimension(Embedder embedder) {
        return call.inRole(TextRole.DOCUMENT).check(embedder).dimension();
    }

    /**
     * Embeds all texts and adds them.
     *
     * @param texts the input
     * @param embedder makes vectors
     * @param index gets them under their ids
     * @param terminal shows progress, and at the end what was done
     */
    void addTo(TextInput texts, Embedder embedder, VectorIndex index, Terminal terminal) {
        Tally tally = new Tally(embedder.model().maxTokens());
        long startNanos = System.nanoTime();
        // Texts are read ahead: when vectors come, these are the ids of their texts and of some behind them.
        Deque<String> ids = new ArrayDeque<>();
        Set<String> seen = new HashSet<>();
        Iterator<String> noted = new Iterator<>() {
            private long read;

            @Override
            public boolean hasNext() {
                return texts.hasNext();
            }

            @Override
            public String next() {
                String text = texts.next();
                if (!seen.add(texts.id())) {
                    throw CliException.failed(
                            HelpTopic.CANNOT_READ,
                            texts.place(read) + ": the id " + texts.id()
                                    + " was there before. Every text needs an id of its own.",
                            null);
                }
                ids.add(texts.id());
                read++;
                return text;
            }
        };
        boolean shown = terminal.errIsTerminal();
        try (ProgressLine progress =
                new ProgressLine(terminal.err(), shown, shown ? texts.countLines() : 0, System::nanoTime)) {
            Iterator<Embeddings> chunks = embedder.stream(noted, call.toEmbedOptions(), progress);
            while (chunks.hasNext()) {
                Embeddings chunk = chunks.next();
                index.add(Stream.generate(ids::remove).limit(chunk.size()).toList(), VectorRows.of(chunk));
                tally.add(chunk);
            }
        } catch (InvalidTextException e) {
            throw CallOptions.refused(texts.place(e.index()), e);
        }
        terminal.err().println(tally.summary(System.nanoTime() - startNanos));
        tally.cutNotice().ifPresent(terminal.err()::println);
    }
}
