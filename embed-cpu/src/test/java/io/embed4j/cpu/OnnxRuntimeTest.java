// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.HelpTopic;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An ONNX Runtime that cannot be used: the reason and what would help. */
class OnnxRuntimeTest {

    /** Says why the CPU cannot be used. */
    static final class Program {
        private Program() {}

        public static void main(String[] args) {
            System.out.println(OnnxRuntime.obstacle().orElseThrow().exception().getMessage());
            System.out.println(new CpuBackendProvider().probe());
        }
    }

    @Test
    void whereNothingCanBeUnpackedTheDirectoryIsNamed(@TempDir Path directory) throws Exception {
        Path missing = directory.resolve("missing");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Djava.io.tmpdir=" + missing,
                        "-cp",
                        System.getProperty("java.class.path"),
                        Program.class.getName())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(output.lines())
                .hasSize(2)
                .allSatisfy(line -> assertThat(line)
                        .contains(
                                "ONNX Runtime could not be loaded on", missing.toString(), "noexec", "java.io.tmpdir"));
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void anOlderOneIsRefused() {
        assertThat(OnnxRuntime.tooOld("1.20.0").orElseThrow().exception())
                .hasMessage("ONNX Runtime 1.20.0 is on the class path; embed4j needs 1.29 or later. Declare"
                        + " com.microsoft.onnxruntime:onnxruntime 1.29.0 or later in your own dependencies.")
                .satisfies(e -> assertThat(e.helpTopic()).isEqualTo(HelpTopic.ONNX_RUNTIME));
        assertThat(OnnxRuntime.tooOld("1.29.0")).isEmpty();
        assertThat(OnnxRuntime.tooOld("2.0.0")).isEmpty();
    }
}
