// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class CompareOptionsTest {

    @Test
    void aMeasurementIsTheDefaultAndQuickIsNone() {
        assertThat(CompareOptions.parse(List.of()))
                .isEqualTo(new CompareOptions(7, 2, 256, 3, List.of(), ""))
                .returns(true, CompareOptions::measures);
        assertThat(CompareOptions.parse(List.of("--quick")))
                .isEqualTo(new CompareOptions(2, 1, 16, 1, List.of(), ""))
                .returns(false, CompareOptions::measures);
    }

    @Test
    void whatIsSaidOutweighsQuick() {
        assertThat(CompareOptions.parse(List.of(
                        "--texts",
                        "8",
                        "--quick",
                        "--only",
                        Roster.BASELINE,
                        "--only",
                        Roster.EMBED4J_INT8,
                        "--out",
                        "dir")))
                .isEqualTo(new CompareOptions(2, 1, 8, 1, List.of(Roster.BASELINE, Roster.EMBED4J_INT8), "dir"));
    }

    @Test
    void mistakesAreTold() {
        assertThatThrownBy(() -> CompareOptions.parse(List.of("--round", "7")))
                .hasMessageStartingWith("Unknown option \"--round\".\nUsage:");
        assertThatThrownBy(() -> CompareOptions.parse(List.of("--out")))
                .hasMessageStartingWith("--out needs a value.\n");
        assertThatThrownBy(() -> CompareOptions.parse(List.of("--only", "LangChain4j")))
                .hasMessageStartingWith("There is no rival \"LangChain4j\". Use embed4j fp32, embed4j int8, ");
        for (String bad : List.of("0", "many", "-3", "")) {
            assertThatThrownBy(() -> CompareOptions.parse(List.of("--texts", bad)))
                    .hasMessage("--texts needs a whole number of at least 1, not \"" + bad + "\".");
        }
    }
}
