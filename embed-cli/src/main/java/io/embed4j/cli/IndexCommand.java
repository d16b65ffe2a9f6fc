// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedderFactory;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** {@code embed index ...}: an index in a directory, made of texts and searched by them. */
@Command(
        name = "index",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        description = "Builds and searches an index of texts in a directory.")
final class IndexCommand implements Callable<Integer> {

    private IndexCommand() {}

    /** The command with its own commands. */
    static CommandLine with(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        return new CommandLine(new IndexCommand())
                .addSubcommand(new IndexBuildCommand(embedders, terminal))
                .addSubcommand(new IndexAddCommand(embedders, terminal))
                .addSubcommand(new IndexDeleteCommand(embedders, terminal))
                .addSubcommand(new IndexCompactCommand(embedders, terminal))
                .addSubcommand(new IndexStatsCommand(embedders, terminal))
                .addSubcommand(new IndexSearchCommand(embedders, terminal));
    }

    @Override
    public Integer call() {
        throw CliException.usage(
                "Say what to do: embed index build, add, delete, compact, stats or search. See embed index --help.");
    }
}
