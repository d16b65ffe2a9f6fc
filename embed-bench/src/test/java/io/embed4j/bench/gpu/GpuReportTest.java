// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.DeviceInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GpuReportTest {
    private static final DeviceInfo DEVICE = new DeviceInfo("cuda:0", "cuda", "Card <1>", "CUDA 13.0", 2, 1);

    @TempDir
    private Path directory;

    private static Row row(
            String engine, String work, String load, String unit, double value, String dtype, int batch) {
        return new Row(engine, work, load, unit, value, "minilm", dtype, batch);
    }

    private static GpuReport report(Row... rows) {
        return new GpuReport(DEVICE, "2026-11-21", "abc", 12, List.of(rows), List.of("peers topk: stopped after 60 s"));
    }

    @Test
    void textRatiosAreToTheBestBatchInFp16() {
        String text = report(
                        row("embed4j", "text to host", "ragged", "tokens/s", 6e6, "bf16", 0),
                        row("sentence-transformers", "text to host", "ragged", "tokens/s", 0.5e6, "fp16", 32),
                        row("sentence-transformers", "text to host", "ragged", "tokens/s", 1e6, "fp16", 512),
                        row("sentence-transformers", "text to host", "ragged", "tokens/s", 9e6, "bf16", 512))
                .markdown();
        assertThat(text).contains("| 6.000e+06 | tokens/s | 6.00 |  | gate 5, goal 10: gate reached |");
    }

    @Test
    void oneTextCountsDownwards() {
        String text = report(
                        row("embed4j", "text to host", "one text", "us", 160, "fp16", 0),
                        row("sentence-transformers", "text to host", "one text", "us", 4000, "fp16", 0))
                .markdown();
        assertThat(text).contains("| 160.0 | us | 25.00 |  | gate 150, goal 70: gate missed |");
    }

    @Test
    void sharesAreOfTheProductOfTheSameRun() {
        // minilm: 6 layers of 8 * 384^2 + 4 * 384 * 1536 + 4 * 128 * 384 operations a token.
        double flop = 6 * (8.0 * 384 * 384 + 4.0 * 384 * 1536 + 4.0 * 128 * 384);
        String text = report(
                        new Row("device", "product", "8192^3 bf16", "TFLOP/s", 800, null, null, 0),
                        row("embed4j", "ids to host", "128 tokens", "tokens/s", 0.5 * 800e12 / flop, "fp16", 0),
                        row("embed4j", "ids to host", "512 tokens", "tokens/s", 1e6, "fp16", 0))
                .markdown();
        assertThat(text)
                .contains("- product of 8192^3 bf16: 800.0 TFLOP/s", "| 50 % | gate 0.45, goal 0.6: gate reached |")
                .containsOnlyOnce(" % |");
    }

    @Test
    void searchesAreHeldAgainstTorchAndTheLargerFloor() {
        String load = "10000000 x 384, Q = 1, k = 10";
        String many = "10000000 x 384, Q = 1024, k = 10";
        String text = report(
                        new Row("device", "product", "8192^3 bf16", "TFLOP/s", 800, null, null, 0),
                        new Row("device", "copy", "4096 MiB", "TB/s", 4, null, null, 0),
                        // 7.68 GB at 4 TB/s: 1.92 ms; 7.86 TFLOP at 800: 9.83 ms
                        new Row("embed4j", "top-k", load, "ms", 2.112, null, "fp16", 0),
                        new Row("torch matmul + topk", "top-k", load, "ms", 4.224, null, "fp16", 0),
                        new Row("embed4j", "top-k", many, "ms", 19.66, null, "fp16", 0))
                .markdown();
        assertThat(text)
                .contains("| " + load + " | 2.112 | 2.00 | 1.10 | gate 1.2, goal 1.2: goal reached |")
                .contains("| " + many + " | 19.66 |  | 2.00 | gate 1.6, goal 1.6: gate missed |")
                .doesNotContain("slope");
    }

    @Test
    void searchesOfManyQueriesAreHeldAgainstTwiceTorch() {
        String many = "10000000 x 384, Q = 1024, k = 100";
        String text = report(
                        new Row("embed4j", "top-k", many, "ms", 20, null, "fp16", 0),
                        new Row("torch matmul + topk", "top-k", many, "ms", 39, null, "fp16", 0))
                .markdown();
        assertThat(text).contains("| 20.00 | 1.95 |  | ; torch: gate 2, goal 2: gate missed |");
    }

    @Test
    void timeGrowsWithTheRows() {
        Row[] rows = new Row[4];
        for (int i = 0; i < 4; i++) {
            long size = 1_250_000L << i;
            rows[i] = new Row("embed4j", "top-k", size + " x 384, Q = 1, k = 10", "ms", size * 1e-6, null, "fp16", 0);
        }
        assertThat(report(rows).markdown())
                .contains("- embed4j fp16, D = 384, Q = 1, k = 10: log-log slope in N 1.00 over"
                        + " [1250000, 2500000, 5000000, 10000000] rows");
    }

    @Test
    void whatWasCutOffIsSaidAndTheDeviceHeadsAll() throws Exception {
        report(row("embed4j", "text to host", "ragged", "tokens/s", 6e6, "bf16", 0))
                .write(directory);
        assertThat(Files.readString(directory.resolve(GpuReport.MARKDOWN)))
                .startsWith("# embed4j and its peers on Card <1>\n")
                .contains("- peers topk: stopped after 60 s");
        assertThat(Files.readString(directory.resolve(GpuReport.CHART)))
                .contains("Ragged text to vectors on Card &lt;1>", ">minilm<", ">embed4j bf16<", ">6.00<");
        assertThat(Files.readString(directory.resolve(GpuReport.JSON))).contains("\"load\": \"ragged\"");
    }

    @Test
    void aLineThatWasCutOffIsLeftOut() throws Exception {
        Path file = directory.resolve("rows.jsonl");
        Row whole = row("embed4j", "text to host", "ragged", "tokens/s", 6e6, "bf16", 0);
        whole.append(file);
        Files.writeString(file, Files.readString(file) + "{\"engine\":\"emb");
        assertThat(Row.read(file)).containsExactly(whole);
    }
}
