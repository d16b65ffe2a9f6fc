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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KernelImagesTest {
    private static final int CUDA_12_2 = 12_020;
    private static final int CUDA_13_0 = 13_000;

    private final KernelImages images = KernelImages.ofThisJar();

    @ParameterizedTest
    @CsvSource({
        "75, sm_75.cubin.gz, sm_75.cubin.gz",
        "80, sm_80.cubin.gz, sm_80.cubin.gz",
        "86, sm_80.cubin.gz, sm_80.cubin.gz",
        "87, sm_80.cubin.gz, sm_80.cubin.gz",
        "89, sm_80.cubin.gz, sm_80.cubin.gz",
        "90, sm_90.cubin.gz, sm_90.cubin.gz",
        "100, compute_80.ptx.gz, sm_100.cubin.gz",
        "103, compute_80.ptx.gz, sm_100.cubin.gz",
        "110, compute_80.ptx.gz, compute_80.ptx.gz",
        "120, compute_80.ptx.gz, sm_120.cubin.gz",
        "121, compute_80.ptx.gz, sm_120.cubin.gz",
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
            } else {
                assertThat(text)
                        .as(image.file())
                        .contains(".version 7.8", ".target sm_80")
                        .endsWith("\0");
            }
        }
    }
}
