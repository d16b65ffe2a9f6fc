// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedderClosedException;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The end of the JVM waits for the batch that is being computed, and lets no other begin. */
class UntilTheEndTest {

    /** Computes for a second, and ends the JVM in the middle of it. */
    static final class Program {
        private Program() {}

        public static void main(String[] args) throws InterruptedException {
            CountDownLatch begun = new CountDownLatch(1);
            EncoderSession session = UntilTheEnd.guard(new EncoderSession() {
                @Override
                public List<FloatBuffer> run(Map<String, Tensor> inputs) {
                    begun.countDown();
                    try {
                        TimeUnit.SECONDS.sleep(1);
                    } catch (InterruptedException e) {
                        System.out.println(e);
                    }
                    System.out.println("computed");
                    return List.of();
                }

                @Override
                public void close() {}
            });
            Thread worker = new Thread(() -> {
                session.run(Map.of());
                try {
                    session.run(Map.of());
                } catch (EmbedderClosedException e) {
                    System.out.println(e.getMessage());
                }
            });
            worker.setDaemon(true);
            worker.start();
            begun.await();
            System.exit(3);
        }
    }

    @Test
    void aBatchIsFinishedAndNoneBegins() throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Program.class.getName())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isEqualTo(3);
        assertThat(output.lines().findFirst()).as(output).hasValue("computed");
        assertThat(output.lines().filter("computed"::equals)).hasSize(1);
    }
}
