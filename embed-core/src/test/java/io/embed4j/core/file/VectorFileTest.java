// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files are numpy's and safetensors' own: src/test/resources/vectors/make_vectors.py. */
class VectorFileTest {
    @TempDir
    private Path folder;

    private static Path file(String name) {
        try {
            return Path.of(Objects.requireNonNull(VectorFileTest.class.getResource("/vectors/" + name))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static void check(VectorFile rows) {
        assertThat(rows.dimension()).isEqualTo(5);
        FloatBuffer out = FloatBuffer.allocate(20);
        assertThat(rows.read(out.limit(14))).as("whole rows").isEqualTo(2);
        assertThat(rows.read(out.limit(20))).isEqualTo(1);
        assertThat(rows.read(out)).isZero();
        for (int i = 0; i < 15; i++) {
            assertThat(out.get(i)).isEqualTo(i / 8f - 0.5f);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"f8.npy", "f4.npy", "f2.npy", "version2.npy", "one.safetensors"})
    void everyTypeIsRead(String name) {
        check(VectorFile.open(file(name), ""));
    }

    @Test
    void aTensorIsChosenByItsName() {
        check(VectorFile.open(file("two.safetensors"), "a"));
        check(VectorFile.open(file("two.safetensors"), "b"));
        assertThatThrownBy(() -> VectorFile.open(file("two.safetensors"), ""))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("holds 2 tensors with two dimensions; it has ")
                .hasMessageContainingAll("a[3, 5]", "b[3, 5]", "c[5]")
                .hasMessageEndingWith("Name one of them.");
        assertThatThrownBy(() -> VectorFile.open(file("two.safetensors"), "c"))
                .hasMessageContaining("the tensor c is FP32[5]; vectors are floating point numbers [N, D].");
        assertThatThrownBy(() -> VectorFile.open(file("two.safetensors"), "x"))
                .hasMessageContaining("holds 0 tensors named \"x\"");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "fortran.npy | vectors are little-endian f8, f4 or f2 in C order, of shape (N, D).",
                "int.npy | vectors are little-endian f8, f4 or f2 in C order, of shape (N, D).",
                "flat.npy | vectors are little-endian f8, f4 or f2 in C order, of shape (N, D).",
            })
    void otherArraysAreRefused(String name, String saying) {
        assertThatThrownBy(() -> VectorFile.open(file(name), ""))
                .isInstanceOfSatisfying(
                        ModelFormatException.class,
                        e -> assertThat(e.helpTopic()).isEqualTo(HelpTopic.VECTOR_FILE))
                .hasMessageContaining(saying);
    }

    /** Wherever a file is cut it is refused, never read beyond its end. */
    @Test
    void cutFilesAreRefused() throws IOException {
        byte[] good = Files.readAllBytes(file("f4.npy"));
        Path cut = folder.resolve("cut.npy");
        for (int length = 0; length < good.length; length++) {
            Files.write(cut, Arrays.copyOf(good, length));
            assertThatThrownBy(() -> VectorFile.open(cut, ""))
                    .as("%s bytes", length)
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining(cut.toString());
        }
    }

    @Test
    void whatIsNoSuchFileIsNamed() throws IOException {
        assertThatThrownBy(() -> VectorFile.open(folder.resolve("none.npy"), ""))
                .hasMessage(folder.resolve("none.npy") + " is missing.");
        assertThatThrownBy(() -> VectorFile.open(Path.of("a.csv"), ""))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Vectors are read from .npy and .safetensors files, not from a.csv.");
        assertThatThrownBy(() -> VectorFile.open(Path.of("a.npy"), "t"))
                .hasMessage(
                        "Vectors are read from .npy and, for tensors with a name, .safetensors files, not from a.npy.");
        Path text = Files.writeString(folder.resolve("text.npy"), "not numpy at all");
        assertThatThrownBy(() -> VectorFile.open(text, "")).hasMessage(text + " is no .npy file of version 1 to 3.");
    }
}
