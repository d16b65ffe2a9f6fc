// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DeviceUnavailableException;
import io.embed4j.cuda.KernelImages.Image;
import io.embed4j.cuda.KernelImages.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KernelImagesTest {
    private static final int CUDA_12_2 = 12_020;
    private static final int CUDA_13_0 = 13_000;

    private final KernelImages images = KernelImages.ofThisJar();

    @ParameterizedTest
    @CsvSource({
        "75, sm_75.cubin.xz, sm_75.cubin.xz",
        "80, sm_80.cubin.xz, sm_80.cubin.xz",
        "86, sm_86.cubin.xz, sm_86.cubin.xz",
        "87, sm_86.cubin.xz, sm_86.cubin.xz",
        "89, sm_89.cubin.xz, sm_89.cubin.xz",
        "90, sm_90.cubin.xz, sm_90.cubin.xz",
        "100, compute_80.ptx.xz, sm_100.cubin.xz",
        "103, compute_80.ptx.xz, sm_100.cubin.xz",
        "110, compute_80.ptx.xz, compute_80.ptx.xz",
        "120, compute_80.ptx.xz, sm_120.cubin.xz",
        "121, compute_80.ptx.xz, sm_120.cubin.xz",
    })
    void takesMachineCodeOfTheDeviceOrElsePtx(int computeCapability, String onCuda12, String onCuda13) {
        assertThat(images.suitable(CUDA_12_2, computeCapability).get(0).file()).isEqualTo(onCuda12);
        assertThat(images.suitable(CUDA_13_0, computeCapability).get(0).file()).isEqualTo(onCuda13);
    }

    @Test
    void prefersTheNewestCompilerThatTheDriverUnderstands() {
        KernelImages two = new KernelImages(
                List.of(new Image("old", Kind.CUBIN, 80, CUDA_12_2), new Image("new", Kind.CUBIN, 80, CUDA_13_0)));

        assertThat(two.suitable(12_080, 86).get(0).file()).isEqualTo("old");
        assertThat(two.suitable(13_010, 86).get(0).file()).isEqualTo("new");
    }

    @Test
    void refusesAnOldDevice() {
        assertThatThrownBy(() -> images.suitable(CUDA_13_0, 70))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage("The device has compute capability 7.0, and the kernels need 7.5."
                        + " Use a newer device, or the device cpu.");
    }

    @Test
    void refusesAnOldDriver() {
        assertThatThrownBy(() -> images.suitable(11_040, 80))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage("The NVIDIA driver offers CUDA 11.4, and the kernels for compute capability 8.0 need 12.2."
                        + " Install a newer driver, or use the device cpu.");
    }

    /** PTX 8.2 is that of CUDA 12.2, the oldest driver there may be (PTX ISA, release notes). */
    @Test
    void thePtxIsOldEnoughForTheOldestDriver() {
        Image ptx = images.all().stream()
                .filter(image -> image.kind() == Kind.PTX)
                .findFirst()
                .orElseThrow();
        String text = new String(ptx.bytes(), StandardCharsets.US_ASCII);
        Matcher version =
                Pattern.compile("^\\.version (\\d)\\.(\\d)$", Pattern.MULTILINE).matcher(text);

        assertThat(version.find()).isTrue();
        assertThat(Integer.parseInt(version.group(1) + version.group(2))).isLessThanOrEqualTo(82);
        assertThat(ptx.firstDriverVersion()).isEqualTo(CUDA_12_2);
        assertThat(ptx.computeCapability()).isEqualTo(80);
    }

    @Test
    void unpacksEveryImage() {
        for (Image image : images.all()) {
            ByteBuffer bytes = ByteBuffer.wrap(image.bytes()).order(ByteOrder.LITTLE_ENDIAN);
            String text = new String(bytes.array(), StandardCharsets.ISO_8859_1);

            assertThat(text).as(image.file()).contains("attention_packed_mma_bf16_d64", "residual_norm_fp32");
            if (image.kind() == Kind.CUBIN) {
                assertThat(bytes.getInt(0))
                        .as("ELF magic number of %s", image.file())
                        .isEqualTo(0x464c457f);
                assertThat(bytes.getShort(18))
                        .as("ELF machine of %s: CUDA", image.file())
                        .isEqualTo((short) 190);
                assertThat(architecture(bytes))
                        .as("architecture of %s", image.file())
                        .isEqualTo(image.computeCapability());
            } else {
                assertThat(text)
                        .as(image.file())
                        .contains(".version 7.8", ".target sm_80")
                        .endsWith("\0");
            }
        }
    }

    /** Embedders one after another open the device each time. */
    @Test
    void unpacksAnImageOnce() {
        Image image = images.all().get(0);

        assertThat(image.bytes()).isSameAs(image.bytes());
        assertThat(KernelImages.ofThisJar().all().get(0).bytes()).isSameAs(image.bytes());
    }

    /** What the flags in an ELF header of CUDA say: bits 0 to 7 before CUDA 13, bits 8 to 15 since. */
    private static int architecture(ByteBuffer elf) {
        boolean before13 = elf.get(8) <= 7;
        return elf.getInt(48) >> (before13 ? 0 : 8) & 0xff;
    }
}
