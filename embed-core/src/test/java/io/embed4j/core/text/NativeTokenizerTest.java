// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedException;
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
            System.setProperty("DJL_CACHE_DIR", args[0]);
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
        ForkedJvm program = ForkedJvm.run(Program.class, cache);
        assertThat(program.output()).contains("NATIVE_TOKENIZER: ", cache.toString(), "noexec", "DJL_CACHE_DIR");
        assertThat(program.exitCode()).isZero();
    }
}
