// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is planned for the CPU is what the process grows by, for models of more than a hundred million parameters. */
@Tag("full")
@EnabledOnOs(value = OS.LINUX, disabledReason = "resident memory is read from /proc")
class ResidentMemoryTest {
    private static final double TOLERANCE = 0.15;

    @TempDir
    private Path temporary;

    private Path model(String name, String shape) throws IOException {
        Path directory = Files.createDirectory(temporary.resolve(name));
        Files.writeString(
                directory.resolve("config.json"),
                "{\"model_type\": \"bert\", \"hidden_act\": \"gelu\", \"max_position_embeddings\": 512," + shape + "}");
        return directory;
    }

    /** The shape of bge-base. */
    @ParameterizedTest
    @CsvSource({
        "fp32, FP32, 30522, 12",
        "fp32, BF16, 30522, 12",
        "int8, FP32, 30522, 12",
        "int8, BF16, 30522, 12",
    })
    void theProcessGrowsByWhatWasPlanned(String precision, String stored, int vocabulary, int layers) throws Exception {
        Path large = model(
                "large",
                "\"hidden_size\": 768, \"num_attention_heads\": 12, \"intermediate_size\": 3072,"
                        + "\"num_hidden_layers\": " + layers + ", \"vocab_size\": " + vocabulary);
        Path small = model(
                "small",
                "\"hidden_size\": 32, \"num_attention_heads\": 2, \"intermediate_size\": 64,"
                        + "\"num_hidden_layers\": 1, \"vocab_size\": 100");
        String output = run(large, small, precision, stored);
        long planned = number(output, "planned");
        long measured = number(output, "measured");
        String report = String.format(
                Locale.ROOT,
                "%s of %s, %d layers, vocabulary %d: planned %d MiB, measured %d MiB: %.1f %% of it",
                precision,
                stored,
                layers,
                vocabulary,
                planned >> 20,
                measured >> 20,
                100.0 * planned / measured);
        System.out.println(report);
        assertThat(Math.abs(planned - measured)).as(report).isLessThanOrEqualTo((long) (TOLERANCE * measured));
    }

    private static String run(Path large, Path small, String precision, String stored)
            throws IOException, InterruptedException {
        List<String> command = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                // A heap that gives back what it no longer needs: the plan is of what lies outside.
                "-Xms16m",
                "-Xmx1g",
                "-XX:+UseSerialGC",
                "-XX:MinHeapFreeRatio=10",
                "-XX:MaxHeapFreeRatio=20",
                "-cp",
                System.getProperty("java.class.path"),
                ResidentMemoryProgram.class.getName(),
                large.toString(),
                small.toString(),
                precision,
                stored);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }

    private static long number(String output, String name) {
        return output.lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow(() -> new AssertionError(output));
    }
}
