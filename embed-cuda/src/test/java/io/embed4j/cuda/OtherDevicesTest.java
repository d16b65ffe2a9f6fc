// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Hits;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.DType;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.BruteForce;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Devices that the emulated one is only if it is told so before it starts, so in JVMs of their own. */
@RequiresDevice
class OtherDevicesTest {

    private static String run(Class<?> program, Map<String, String> settings) throws IOException, InterruptedException {
        ProcessBuilder jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        program.getName())
                .redirectErrorStream(true);
        jvm.environment().putAll(settings);
        Process process = jvm.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        System.out.println(output);
        return output;
    }

    private static void mustPass(Embedder embedder, Fixture fixture) {
        Embeddings vectors = embedder.embed(fixture.texts());
        Bar.Worst worst = new Bar.Worst();
        for (int row = 0; row < vectors.size(); row++) {
            worst.add(Bar.unitError(vectors.vector(row), fixture.vectors()[row]), "text " + row);
        }
        worst.mustPass(embedder.toString(), Bar.of(fixture, embedder.precision()));
    }

    private static Embedder open(Fixture fixture, String device, Precision precision) {
        return Embedder.builder()
                .model(fixture.model())
                .device(device)
                .precision(precision)
                .build();
    }

    @Test
    void aDeviceWithoutAsynchronousCopiesRunsToo() throws Exception {
        assertThat(run(Turing.class, Map.of("EMBED4J_EMULATOR_COMPUTE_CAPABILITY", "7.5")))
                .contains("bf16 is refused", "fp16 rows are found");
    }

    /** Compute capability 7.5: no cp.async, no bf16. */
    static final class Turing {
        private Turing() {}

        /** Runs in a JVM of its own. */
        public static void main(String[] arguments) {
            Fixture fixture = Fixture.load("bert-h48-a2");
            for (Precision precision : List.of(Precision.FP32, Precision.FP16, Precision.AUTO)) {
                try (Embedder embedder = open(fixture, "cuda:0", precision)) {
                    mustPass(embedder, fixture);
                }
            }
            assertThatThrownBy(() -> open(fixture, "cuda:0", Precision.BF16))
                    .isInstanceOf(UnsupportedModelException.class)
                    .hasMessageContaining("cuda:0 does not offer the precision bf16");
            System.out.println("bf16 is refused");
            index();
        }

        /** fp16 without tensor cores that the scan could use: few queries by the plain kernel, many by cuBLAS. */
        private static void index() {
            Random random = new Random(3);
            float[] rows = new float[500 * 33];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = (float) random.nextGaussian();
            }
            try (Device device = new CudaBackendProvider().open(DeviceId.parse("cuda:0"));
                    IndexShard shard = device.index(new IndexSpec(33, DType.FP16, IndexSpec.Rescoring.EXACT))) {
                shard.add(FloatBuffer.wrap(rows));
                for (int queries : new int[] {1, 8, 40}) {
                    float[] query = Arrays.copyOf(rows, queries * 33);
                    Hits hits = shard.search(FloatBuffer.wrap(query), 6, RowSelection.first(500));
                    new BruteForce(33, rows).check(queries + " queries", hits, query, 500, row -> true);
                }
                assertThatThrownBy(() -> device.index(new IndexSpec(33, DType.BF16, IndexSpec.Rescoring.EXACT)))
                        .isInstanceOf(UnsupportedModelException.class)
                        .hasMessage("The device cuda:0 does not multiply bf16. Store the index in fp16 or fp32.");
            }
            System.out.println("fp16 rows are found");
        }
    }

    @Test
    void severalDevicesRunSeveralModels() throws Exception {
        assertThat(run(Several.class, Map.of("EMBED4J_EMULATOR_DEVICES", "2"))).contains("both are done");
    }

    /** Two devices, each with two models, taking turns. */
    static final class Several {
        private Several() {}

        /** Runs in a JVM of its own. */
        public static void main(String[] arguments) {
            Fixture bert = Fixture.load("bert-h36-a3");
            Fixture mpnet = Fixture.load("mpnet-h36-a3");
            try (Embedder first = open(bert, "cuda:0", Precision.FP32);
                    Embedder second = open(bert, "cuda:1", Precision.FP16);
                    Embedder third = open(mpnet, "cuda:1", Precision.FP32);
                    Embedder fourth = open(mpnet, "cuda:0", Precision.BF16)) {
                for (int round = 0; round < 3; round++) {
                    mustPass(first, bert);
                    mustPass(second, bert);
                    mustPass(third, mpnet);
                    mustPass(fourth, mpnet);
                }
                assertThat(third.device().id()).isEqualTo("cuda:1");
            }
            System.out.println("both are done");
        }
    }
}
