// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The emulated device's own tests: that it computes what CUDA says, and that it catches and names what is wrong. */
@RequiresDevice
class EmulatorTest {
    @Test
    void itsOwnTestsPass() throws IOException, InterruptedException {
        Process tests = new ProcessBuilder(
                        Path.of("../native/emulator/build.sh").toRealPath().toString(), "test")
                .redirectErrorStream(true)
                .start();
        String output = new String(tests.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        System.out.println(output);
        assertThat(tests.waitFor()).as(output).isZero();
        assertThat(output).containsPattern("\\d\\d tests, 0 failed expectations");
    }
}
