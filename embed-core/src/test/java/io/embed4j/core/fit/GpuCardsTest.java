// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.fit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DeviceInfo;
import io.embed4j.GpuCard;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GpuCardsTest {

    @Test
    void theTableHasAtLeastTwentyCardsEachWithItsSource() {
        assertThat(GpuCards.all()).hasSizeGreaterThanOrEqualTo(20);
        assertThat(GpuCards.all()).extracting(GpuCard::name).doesNotHaveDuplicates();
        for (GpuCard card : GpuCards.all()) {
            assertThat(card.source()).as(card.name()).isNotBlank();
            assertThat(card.computeCapability()).as(card.name()).matches("\\d{1,2}\\.\\d");
            assertThat(card.memoryBytes()).as(card.name()).isBetween(4_000_000_000L, 400_000_000_000L);
            if (card.bandwidth() != null) {
                assertThat(card.bandwidth()).as(card.name()).isBetween(1e11, 1e13);
            }
            if (card.fp16Rate() != null) {
                assertThat(card.fp16Rate()).as(card.name()).isBetween(1e13, 5e15);
            }
            assertThat(GpuCards.named(card.name())).isEqualTo(card);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "rtx 3060, RTX 3060 12GB",
        "NVIDIA GeForce RTX 4090, RTX 4090",
        "nvidia a100-sxm4-80gb, A100 80GB SXM",
        "Tesla T4, T4",
        "h100 80gb hbm3, H100 SXM",
        "5090, RTX 5090",
    })
    void namesAreReadAsPeopleAndDriversWriteThem(String written, String name) {
        assertThat(GpuCards.named(written).name()).isEqualTo(name);
    }

    @Test
    void unknownNamesListTheKnown() {
        assertThatThrownBy(() -> GpuCards.named("Voodoo 2"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("The GPU \"Voodoo 2\" is not in the table. Known are T4, RTX 2080 Ti, ");
        assertThatThrownBy(() -> GpuCards.named("A100"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Several GPUs are called \"A100\": A100 40GB, A100 80GB PCIe, A100 80GB SXM. Name one of"
                        + " them.");
        assertThatThrownBy(() -> GpuCards.named("NVIDIA")).isInstanceOf(IllegalArgumentException.class);
    }

    private static DeviceInfo device(String name, long bytes) {
        return new DeviceInfo("cuda:0", "cuda", name, "", bytes, bytes);
    }

    @Test
    void devicesAreFoundByNameAndMemory() {
        assertThat(GpuCards.of(device("NVIDIA GeForce RTX 3060", 12_622_000_000L)))
                .hasValue(GpuCards.named("RTX 3060"));
        assertThat(GpuCards.of(device("NVIDIA GeForce RTX 3060", 8_300_000_000L)))
                .isEmpty();
        assertThat(GpuCards.of(device("NVIDIA H200", 150_100_000_000L))).hasValue(GpuCards.named("H200"));
        assertThat(GpuCards.of(device("embed4j emulated CUDA device (CPU)", 2L << 30)))
                .isEmpty();
        assertThat(GpuCards.of(device("", 24_000_000_000L))).isEmpty();
    }
}
