// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.Fit;
import io.embed4j.FitReport;
import io.embed4j.GpuCard;
import io.embed4j.Precision;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The table in README.md is what the command above it prints, on a machine without a GPU. */
class FitInReadmeTest {
    private static final Path ROOT = Path.of("").toAbsolutePath().resolve("..").normalize();
    private static final Pattern SECTION = Pattern.compile(
            "<!-- fit-table -->\\s*```\\s*\\./embed (.*?)```\\s*(\\|.*?)<!-- /fit-table -->", Pattern.DOTALL);

    private static List<String> arguments(String command) {
        List<String> arguments = new ArrayList<>();
        Matcher matcher = Pattern.compile("\"([^\"]*)\"|([^\\s\\\\]+)").matcher(command);
        while (matcher.find()) {
            String argument = matcher.group(1) == null ? matcher.group(2) : matcher.group(1);
            arguments.add(
                    argument.startsWith("embed-bench/") ? ROOT.resolve(argument).toString() : argument);
        }
        return arguments;
    }

    @Test
    void theTableIsWhatTheCommandPrints() throws Exception {
        Matcher section = SECTION.matcher(Files.readString(ROOT.resolve("README.md")));
        assertThat(section.find())
                .as("README.md has a section between fit-table marks")
                .isTrue();
        List<String> arguments = arguments(section.group(1));
        assertThat(arguments).startsWith("fit").contains("--markdown");
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        StringWriter err = new StringWriter();
        Terminal terminal = new Terminal(InputStream.nullInputStream(), out, new PrintWriter(err), false);

        int exitCode = Main.run(arguments.toArray(String[]::new), EmbedderFactory::find, terminal);

        assertThat(err.toString()).isEmpty();
        assertThat(exitCode).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(section.group(2));
        assertThat(section.group(2).lines()).hasSize(2 + 5);
    }

    /**
     * Parameter counts of the published models, without poolers, which embedding models do not use. On a GPU biases of keys
     * and values are not kept: 2 H a layer.
     */
    @ParameterizedTest
    @CsvSource({
        "all-MiniLM-L6-v2, 22565376, 4608",
        "bge-base-en-v1.5, 108891648, 18432",
        "bge-large-en-v1.5, 334092288, 49152",
        "multilingual-e5-large, 558840832, 49152",
        "Qwen3-Embedding-0.6B, 595776512, 0",
    })
    void theConfigurationsAreThoseOfThePublishedModels(String name, long parameters, long biasesNotKept) {
        EmbedderOptions options = EmbedderOptions.defaults()
                .withModel(ROOT.resolve("embed-bench/models/" + name).toString());
        FitReport report = Fit.planOn(options, GpuCard.named("H200")).reports().stream()
                .filter(candidate -> candidate.precision() == Precision.FP32)
                .findFirst()
                .orElseThrow();
        assertThat((double) report.needs().weightBytes())
                .as("bytes of weights, with padding and tables of angles")
                .isBetween(4.0 * (parameters - biasesNotKept), 4.04 * parameters);
    }
}
