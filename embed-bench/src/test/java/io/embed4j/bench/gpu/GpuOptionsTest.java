// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.Precision;
import java.util.List;
import org.junit.jupiter.api.Test;

class GpuOptionsTest {
    @Test
    void theLastOfAnOptionCounts() {
        GpuOptions options = GpuOptions.parse(List.of(
                "--out",
                "o",
                "--peers",
                "p",
                "--work",
                "a",
                "--work",
                "/b",
                "--shapes",
                "tiny,bge-base",
                "--dtypes",
                "bf16"));
        assertThat(options.work()).hasToString("/b");
        assertThat(options.shapes()).containsExactly(Shape.TINY, Shape.BGE_BASE);
        assertThat(options.precisions()).containsExactly(Precision.BF16);
    }

    @Test
    void whatCannotBeUnderstoodIsNamed() {
        assertThatThrownBy(() -> GpuOptions.parse(List.of("--shapes", "minlm")))
                .hasMessage("There is no shape \"minlm\". Use [minilm, bge-base, bge-large, bge-small, tiny].");
        assertThatThrownBy(() -> GpuOptions.parse(List.of("--budget", "ten")))
                .hasMessage("--budget needs whole seconds, not \"ten\".");
        assertThatThrownBy(() -> GpuOptions.parse(List.of("--out"))).hasMessage("--out needs a value.");
        assertThatThrownBy(() -> GpuOptions.parse(List.of("--out", "o")))
                .hasMessage("--out, --work and --peers must be given.");
    }
}
