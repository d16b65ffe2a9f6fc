// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedderFactory;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code embed download}: a model of the Hub into the cache, and its directory on stdout. */
@Command(
        name = "download",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        description = "Downloads a model of the Hugging Face Hub, or what is new of it, into the cache that Python's"
                + " huggingface_hub keeps too. Prints the directory.",
        footer = {
            "",
            "Commands with --model hf:ORG/NAME download what is missing themselves, and use what is there without asking.",
            "HF_HUB_CACHE, HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean to Python."
        })
final class DownloadCommand implements Callable<Integer> {
    private final Supplier<EmbedderFactory> embedders;
    private final Terminal terminal;

    @Parameters(paramLabel = "MODEL", description = "hf:ORG/NAME, or hf:ORG/NAME@REVISION.")
    private String model = "";

    DownloadCommand(Supplier<EmbedderFactory> embedders, Terminal terminal) {
        this.embedders = embedders;
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        try (DownloadLine line = DownloadLine.on(terminal)) {
            terminal.print(embedders.get().download(model, line) + System.lineSeparator());
        }
        return 0;
    }
}
