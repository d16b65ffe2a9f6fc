// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.embed4j.EmbedOptions;
import io.embed4j.EmbedderOptions;
import io.embed4j.FitReport;
import io.embed4j.Precision;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MainTest {

    @Test
    void printsOneJsonArrayPerText() {
        Run run = Run.of("some text", "more text");

        assertThat(run.exitCode()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.outLines()).hasSize(2);
        assertVector(run.outLines().get(0), FakeEmbedder.vector("some text", EmbedOptions.defaults()));
        assertVector(run.outLines().get(1), FakeEmbedder.vector("more text", EmbedOptions.defaults()));
        assertThat(run.factory().opened).containsExactly(EmbedderOptions.defaults());
    }

    @Test
    void passesOptionsOn() {
        Run run = Run.of(
                "-m",
                "models/e5",
                "-d",
                "cpu",
                "-p",
                "BF16",
                "--max-batch-tokens",
                "99",
                "--memory-margin",
                "0.25",
                "--prompt",
                "query: ",
                "--dimension",
                "3",
                "text");

        assertThat(run.factory().opened)
                .containsExactly(new EmbedderOptions("models/e5", "cpu", Precision.BF16, 99, 0.25));
        assertVector(
                run.out(),
                FakeEmbedder.vector(
                        "text", EmbedOptions.defaults().withPrompt("query: ").withDimension(3)));
    }

    @Test
    void embedsTextsThatLookLikeSomethingElse() {
        assertThat(Run.of("--", "--verbose", "encode").outLines()).hasSize(2);
        assertThat(Run.of("@name, hello").outLines()).hasSize(1);
        assertThat(Run.of("").outLines()).hasSize(1);
    }

    @Test
    void saysWhatWasCut() {
        assertThat(Run.of("1 2 3 4 5 6 7", "short").err().strip())
                .isEqualTo("1 of 2 texts was cut to 8 tokens (use --truncation chunk or error)");
        assertThat(Run.of("--truncation", "chunk", "1 2 3 4 5 6 7").err()).isEmpty();
    }

    @Test
    void namesTheTextThatCannotBeEmbedded() {
        Run run = Run.of("--truncation", "error", "short", "1 2 3 4 5 6 7");

        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().strip())
                .isEqualTo("embed: text 2: the text has 9 tokens. See docs/troubleshooting.md#text-too-long");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                                           | Nothing to embed. Give a text: embed "some text". See embed --help.
                    -p fp8 text            | Invalid value for option '--precision': Unknown precision "fp8". Use auto, fp32, fp16, bf16 or int8. See embed --help.
                    -d gpu text            | Unknown device "gpu". Use auto, cpu, cuda:N (for instance cuda:0) or cuda:*.
                    --dimension -1 text    | The output dimension must be positive, or 0 for the model's; found -1.
                    --dimension few text   | Invalid value for option '--dimension': 'few' is not an int. See embed --help.
                    --role quarry text     | Invalid value for option '--role': Unknown role "quarry". Use query or document. See embed --help.
                    --truncation cut text  | Invalid value for option '--truncation': Unknown truncation "cut". Use truncate, error or chunk. See embed --help.
                    --max-batch-tokens -1 text | maxBatchTokens must be positive, or 0 to let the backend choose; found -1.
                    --prompt a --prompt-name b text | Give a prompt name or a prompt, not both; found "b" and "a".
                    --modle m text         | Unknown option: '--modle'. Did you mean --model? See embed --help.
                    --zzz                  | Unknown option: '--zzz'. A text that begins with - goes after --. See embed --help.
                    -model m text          | Unknown option: '-model'. Did you mean --model? See embed --help.
                    -m m devices           | --model goes after the command devices. See embed devices --help.
                    hello devices          | Texts and the command "devices" do not go together. To embed the word, write: embed -- TEXT... See embed devices --help.
                    fit --jsn              | Unknown option: '--jsn'. Did you mean --json? See embed fit --help.
                    encod -i x             | Unknown option: '-i'. "encod" is no command, so it is taken for a text. Did you mean encode? See embed --help.
                    dcotor --json          | Unknown option: '--json'. "dcotor" is no command, so it is taken for a text. Did you mean doctor? See embed --help.
                    hello --json           | Unknown option: '--json'. A text that begins with - goes after --. See embed --help.
                    encode                 | Missing required options: '--input=FILE', '--output=FILE'. See embed encode --help.
                    """)
    void refusesArguments(String args, String message) {
        Run run = args == null ? Run.of() : Run.of(args.split(" "));

        assertThat(run.errLines()).containsExactly("embed: " + message);
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.factory().opened).isEmpty();
    }

    @Test
    void refusesADimensionBeyondTheModels() {
        Run run = Run.of("--dimension", "5", "text");

        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.errLines()).containsExactly("embed: The dimension 5 is larger than 4.");
    }

    @Test
    void reportsFailuresInOneLine() {
        Run run = Run.of("-m", FakeFactory.MISSING_MODEL, "text");

        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.errLines())
                .containsExactly("embed: No model at /no/such/model. Name a directory with a config.json."
                        + " See docs/troubleshooting.md#model-not-found");
    }

    @Test
    void showsStackTracesWhenVerbose() {
        assertThat(Run.of("-d", "cuda:0", "text").errLines())
                .containsExactly(
                        "embed: Unexpected java.lang.IllegalStateException: a mistake of ours (--verbose shows where).");
        assertThat(Run.of("-v", "-d", "cuda:0", "text").err()).contains("at io.embed4j.cli.FakeFactory.open");
        assertThat(Run.of("fit", "--verbose").exitCode()).isZero();
    }

    @Test
    void failsWhenStandardOutputFails() {
        StringWriter err = new StringWriter();
        OutputStream full = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("No space left on device");
            }
        };
        Terminal terminal = new Terminal(InputStream.nullInputStream(), full, new PrintWriter(err), false);

        int exitCode = Main.run(new String[] {"text"}, FakeFactory::new, terminal);

        assertThat(exitCode).isEqualTo(1);
        assertThat(err.toString().strip())
                .isEqualTo("embed: Cannot write to standard output: No space left on device."
                        + " See docs/troubleshooting.md#cannot-write");
    }

    @Test
    void refusesArgumentsThatTheLocaleCannotCarry() {
        assertThatThrownBy(() -> Main.requireReadable(new String[] {"caf\uFFFD"}, "ANSI_X3.4-1968"))
                .isInstanceOf(CliException.class)
                .hasMessageContaining("ANSI_X3.4-1968")
                .hasMessageContaining("LC_ALL=C.UTF-8");
        Main.requireReadable(new String[] {"caf\uFFFD"}, "UTF-8");
        Main.requireReadable(new String[] {"cafe"}, "ANSI_X3.4-1968");
    }

    @Test
    void helpAndVersionGoToStandardOutput() {
        for (String command :
                new String[] {"--help", "encode --help", "devices --help", "fit --help", "download --help", "--version"
                }) {
            Run run = Run.of(command.split(" "));
            assertThat(run.exitCode()).isZero();
            assertThat(run.err()).isEmpty();
            assertThat(run.out()).contains("embed ");
        }
        assertThat(Run.of("--help").out())
                .contains("embed [OPTIONS] TEXT...", "encode", "devices", "fit", "download", "doctor");
        assertThat(Run.of("encode", "--help").out()).contains("embedded:all-minilm-l6-v2", "--field", "--verbose");
    }

    @Test
    void listsDevices() {
        Run run = Run.of("devices");

        assertThat(run.exitCode()).isZero();
        assertThat(run.outLines())
                .containsExactly(
                        "DEVICE        FREE       TOTAL  NAME",
                        "cpu        8.0 GiB    16.0 GiB  Fake CPU",
                        "        instruction sets: avx2 fma",
                        "        engine: an engine",
                        "cuda             -           -  not usable: No driver found. Install driver 570 or newer.");
    }

    @Test
    void listsDevicesAsJson() {
        JsonArray devices =
                JsonParser.parseString(Run.of("devices", "--json").out()).getAsJsonArray();

        assertThat(devices).hasSize(2);
        JsonObject cpu = devices.get(0).getAsJsonObject();
        assertThat(cpu.get("id").getAsString()).isEqualTo("cpu");
        assertThat(cpu.get("usable").getAsBoolean()).isTrue();
        assertThat(cpu.get("freeBytes").getAsLong()).isEqualTo(8L << 30);
        assertThat(devices.get(1).getAsJsonObject().get("remedy").getAsString())
                .isEqualTo("Install driver 570 or newer.");
        assertThat(cpu.get("engine").getAsString()).isEqualTo("an engine");
        assertThat(cpu.getAsJsonObject("details").get("instructionSets").getAsString())
                .isEqualTo("avx2 fma");
    }

    @Test
    void saysWhetherAModelFits() {
        Run run = Run.of("fit", "--model", "m", "-p", "fp16");
        assertThat(run.exitCode()).isZero();
        assertThat(run.outLines())
                .startsWith(
                        "m on cpu: 8.0 GiB free of 16.0",
                        "PRECISION  WEIGHTS  ACTIVATIONS  WORKSPACE  STAGING  NEEDED  BUDGET  LARGEST  LONGEST TEXT"
                                + "  TOKENS/S  INDEX VECTORS                VERDICT",
                        "fp16           3.0          1.0       0.50     0.00     4.5    1024     4096           512"
                                + "   <= 12 k  2.3 M fp32, 4.7 M fp16/bf16  FITS")
                .contains(
                        "TOKENS/S is an estimate from published data, not a measurement: a formula.",
                        "cuda:0: No driver found.");

        FakeFactory full = new FakeFactory();
        full.verdict = FitReport.Verdict.DOES_NOT_FIT;
        Run refused = Run.with(full, "", "fit");
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.out())
                .contains("DOES NOT FIT: Use fp16.", "int4*", "* computed only: this version does not run");
    }

    @Test
    void aPrecisionThatADeviceLacksIsSaid() {
        String note = "cpu does not offer bf16 for m. It offers [fp16, fp32].";
        Run run = Run.of("fit", "-m", "m", "-p", "bf16");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.outLines()).containsExactly("cuda:0: No driver found.", note);
        Run markdown = Run.of("fit", "-m", "m", "-p", "bf16", "--markdown");
        assertThat(markdown.errLines()).containsExactly("cuda:0: No driver found.", note);
        assertThat(Run.of("fit", "-p", "int4").exitCode()).as("computed only").isEqualTo(1);
    }

    @Test
    void saysWhetherModelsFitCardsThatAreNotHere() {
        Run run = Run.of("fit", "-m", "a", "-m", "b", "--gpu", "T4", "--gpu", "L4", "--markdown");
        assertThat(run.outLines())
                .containsExactly(
                        "| model | T4 | L4 |",
                        "|---|---|---|",
                        "| a | fp16 4.5 GiB, <= 12 k tokens/s | fp16 4.5 GiB, <= 12 k tokens/s |",
                        "| b | fp16 4.5 GiB, <= 12 k tokens/s | fp16 4.5 GiB, <= 12 k tokens/s |");
        assertThat(Run.of("fit", "--gpu", "nothing").exitCode()).isEqualTo(2);
        assertThat(Run.of("fit", "--gpu", "T4", "-d", "cpu").errLines())
                .containsExactly("embed: --device and --gpu do not go together: a card of --gpu need not be here.");
        assertThat(Run.of("fit", "--json", "--markdown").exitCode()).isEqualTo(2);
    }

    @Test
    void saysWhetherAModelFitsAsJson() {
        FakeFactory full = new FakeFactory();
        full.verdict = FitReport.Verdict.FITS_WITH_REMEDY;
        Run run = Run.with(full, "", "fit", "--json");

        JsonObject table = JsonParser.parseString(run.out()).getAsJsonObject();
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(table.getAsJsonArray("reports")).hasSize(3);
        JsonObject fit = table.getAsJsonArray("reports").get(1).getAsJsonObject();
        assertThat(fit.get("verdict").getAsString()).isEqualTo("fits_with_remedy");
        assertThat(fit.get("neededBytes").getAsLong()).isEqualTo((9L << 29) + (1 << 20));
        assertThat(fit.get("precision").getAsString()).isEqualTo("fp32");
        assertThat(fit.get("planned").getAsBoolean()).isFalse();
        assertThat(fit.get("largestTokenBudget").getAsInt()).isEqualTo(4096);
        assertThat(fit.get("remedy").getAsString()).isEqualTo("Use fp16.");
        assertThat(fit.getAsJsonObject("estimate").get("tokensPerSecond").getAsLong())
                .isEqualTo(12_345);
        assertThat(fit.getAsJsonObject("indexRows").get("fp32").getAsLong()).isEqualTo(2_345_678);
        assertThat(fit.getAsJsonObject("indexRows").get("bf16").getAsLong()).isEqualTo(4_691_357);
        assertThat(table.getAsJsonArray("notes")).hasSize(1);
    }

    @Test
    void saysWhetherTheInstallationIsWell() {
        Run run = Run.of("doctor");
        assertThat(run.exitCode()).isZero();
        assertThat(run.outLines())
                .containsExactly(
                        "ok      Java         Java 17",
                        "notice  device cuda  No driver found.",
                        "                     -> Install driver 570 or newer."
                                + " See docs/troubleshooting.md#device-unavailable",
                        "",
                        "1 ok, 1 to note, 0 failed");

        Run required = Run.of("doctor", "--device", "cuda");
        assertThat(required.exitCode()).isEqualTo(1);
        assertThat(required.outLines()).contains("FAILED  device cuda  No driver found.", "1 ok, 0 to note, 1 failed");
    }

    @Test
    void saysWhetherTheInstallationIsWellAsJson() {
        Run run = Run.of("doctor", "--json", "-d", "cuda");

        JsonObject report = JsonParser.parseString(run.out()).getAsJsonObject();
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(report.get("passed").getAsBoolean()).isFalse();
        JsonObject device = report.getAsJsonArray("checks").get(1).getAsJsonObject();
        assertThat(device.get("status").getAsString()).isEqualTo("failed");
        assertThat(device.get("remedy").getAsString()).isEqualTo("Install driver 570 or newer.");
        assertThat(device.get("help").getAsString()).isEqualTo("docs/troubleshooting.md#device-unavailable");
    }

    private static void assertVector(String json, float[] expected) {
        JsonArray numbers = JsonParser.parseString(json).getAsJsonArray();
        assertThat(numbers).hasSize(expected.length);
        for (int i = 0; i < expected.length; i++) {
            assertThat(numbers.get(i).getAsFloat()).isEqualTo(expected[i]);
        }
    }

    @Test
    void downloadPrintsTheDirectory() {
        Run run = Run.of("download", "hf:org/name");
        assertThat(run.exitCode()).isZero();
        assertThat(run.out().strip()).isEqualTo("/cache/org/name".replace('/', File.separatorChar));
        assertThat(Run.of("download").exitCode()).isEqualTo(CliException.USAGE);
    }

    @Test
    void aRolePicksThePrompt() {
        String query = Run.of("--role", "query", "x").out();
        assertThat(query).isNotEqualTo(Run.of("x").out());
        assertThat(query).isEqualTo(Run.of("--prompt", "query", "x").out());
    }
}
