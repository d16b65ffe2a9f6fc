// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A native tokenizer that cannot be unpacked is no fault of the model's tokenizer.json. */
class NativeTokenizerTest {

    /** Says why the tokenizer cannot be used. */
    static final class Program {
        private Program() {}

        public static void main(String[] args) {
            try {
                TextTokenizer.requireNative();
            } catch (EmbedException e) {
                System.out.println(e.helpTopic() + ": " + e.getMessage());
            }
        }
    }

    @Test
    void whereNothingCanBeUnpackedTheDirectoryIsNamed(@TempDir Path directory) throws Exception {
        Path cache = Files.writeString(directory.resolve("cache"), "a file, no directory");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-DDJL_CACHE_DIR=" + cache,
                        "-cp",
                        System.getProperty("java.class.path"),
                        Program.class.getName())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(output).contains("NATIVE_TOKENIZER: ", cache.toString(), "noexec", "DJL_CACHE_DIR");
        assertThat(process.waitFor()).isZero();
    }
}
