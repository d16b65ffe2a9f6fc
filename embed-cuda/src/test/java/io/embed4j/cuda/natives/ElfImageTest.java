// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.cuda.natives.ElfImage.VersionNeed;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import jcuda.LibUtils;
import org.junit.jupiter.api.Test;

/** On the real native out of JCublas's jar. */
class ElfImageTest {
    private static final String FROM = "libcublas.so.12";
    private static final String TO = "libcublas.so.13";

    private static byte[] jcublas() throws IOException {
        try (InputStream in = LibUtils.class.getResourceAsStream("/lib/libJCublas2-12.6.0-linux-x86_64.so")) {
            return in.readAllBytes();
        }
    }

    @Test
    void theNativeDependsOnCublas12ByNameAndByVersion() throws IOException {
        byte[] library = jcublas();
        assertThat(ElfImage.dependencies(library))
                .containsExactly(
                        "libpthread.so.0",
                        "librt.so.1",
                        "libdl.so.2",
                        FROM,
                        "libstdc++.so.6",
                        "libc.so.6",
                        "ld-linux-x86-64.so.2");
        assertThat(ElfImage.versionNeeds(library))
                .contains(new VersionNeed(FROM, FROM, ElfImage.hash(FROM)))
                .allSatisfy(need -> assertThat(need.hash()).isEqualTo(ElfImage.hash(need.name())));
    }

    @Test
    void renamingChangesTheNameAndTheHashOfTheVersionAndNothingElse() throws IOException {
        byte[] library = jcublas();
        byte[] before = library.clone();
        byte[] renamed = ElfImage.renameDependency(library, FROM, TO);

        assertThat(library).as("the original").isEqualTo(before);
        assertThat(ElfImage.dependencies(renamed))
                .isEqualTo(ElfImage.dependencies(library).stream()
                        .map(name -> name.equals(FROM) ? TO : name)
                        .toList());
        assertThat(ElfImage.versionNeeds(renamed))
                .isEqualTo(ElfImage.versionNeeds(library).stream()
                        .map(need -> need.file().equals(FROM) ? new VersionNeed(TO, TO, ElfImage.hash(TO)) : need)
                        .toList());
        assertThat(renamed).hasSameSizeAs(library);
        assertThat(IntStream.range(0, library.length).filter(i -> library[i] != renamed[i]))
                .as("bytes that differ: the 2 that is now 3, and the last of the hash")
                .hasSize(2);
        assertThat(ElfImage.renameDependency(renamed, TO, FROM)).isEqualTo(library);
    }

    /** As GNU's linker wrote them into libraries. */
    @Test
    void theHashIsThatOfTheAbi() {
        assertThat(ElfImage.hash("GLIBC_2.2.5")).isEqualTo(0x09691a75);
        assertThat(ElfImage.hash("GLIBC_2.17")).isEqualTo(0x06969197);
        assertThat(ElfImage.hash("")).isZero();
    }

    @Test
    void whatCannotBeRenamedIsRefused() throws IOException {
        byte[] library = jcublas();
        assertThatThrownBy(() -> ElfImage.renameDependency(library, "libcublas.so.11", TO))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The library does not depend on libcublas.so.11.");
        assertThatThrownBy(() -> ElfImage.renameDependency(library, FROM, "libcublas.so.130"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("\"libcublas.so.12\" and \"libcublas.so.130\" differ in length.");
        assertThatThrownBy(() -> ElfImage.dependencies("MZ, a library of Windows".getBytes(StandardCharsets.US_ASCII)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("This is no ELF library for a 64-bit little-endian machine.");
        assertThatThrownBy(() -> ElfImage.dependencies(new byte[0])).isInstanceOf(IllegalArgumentException.class);
    }

    /** Cut or with bytes overwritten: read, or refused as damaged; nothing else, and in bounded time. */
    @Test
    void damagedLibrariesAreRefused() throws IOException {
        byte[] library = jcublas();
        for (int length : List.of(16, 63, 64, 200, 4096, library.length / 2)) {
            assertThatThrownBy(() -> ElfImage.dependencies(Arrays.copyOf(library, length)))
                    .as("cut to %d bytes", length)
                    .isInstanceOf(IllegalArgumentException.class);
        }
        // Where the headers, the version references and the dynamic section of this library are.
        int[][] regions = {{0, 1024}, {0x14ba0, 0x14d40}, {0x152438, 0x152678}};
        Random random = new Random(7);
        int refused = 0;
        for (int round = 0; round < 500; round++) {
            byte[] damaged = library.clone();
            int[] region = regions[round % regions.length];
            for (int i = 0; i < 1 + round % 20; i++) {
                damaged[random.nextInt(region[0], region[1])] = (byte) random.nextInt();
            }
            try {
                assertThat(ElfImage.renameDependency(damaged, FROM, TO)).hasSameSizeAs(library);
            } catch (IllegalArgumentException e) {
                refused++;
                assertThat(e).hasMessageFindingMatch("ELF|does not depend on");
            }
        }
        assertThat(refused).as("refused of 500").isBetween(50, 450);
    }
}
