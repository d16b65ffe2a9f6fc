// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything that can be in the way, provoked, each in a JVM of its own. */
class CudaProbeTest {
    @TempDir
    private static Path shared;

    private static FakeCuda fake;

    @TempDir
    private Path folder;

    @BeforeAll
    static void build() throws Exception {
        fake = FakeCuda.build(shared);
    }

    @BeforeEach
    void allIsWell() throws Exception {
        fake.answer(Map.of());
    }

    private static String see(CudaProblem problem) {
        return " See docs/troubleshooting-cuda.md#" + problem.anchor() + ".";
    }

    private static List<String> probe(Map<String, Integer> settings, int cublas) throws Exception {
        fake.answer(settings);
        return fake.jvm(cublas).run(ProbeProgram.class, "probe");
    }

    @ParameterizedTest
    @ValueSource(ints = {12, 13})
    void aDeviceIsFoundAndCublasCanBeCalled(int cublas) throws Exception {
        assertThat(fake.jvm(cublas).run(ProbeProgram.class, "probe", "cublas", "tmpdir"))
                .satisfiesExactly(
                        line -> assertThat(line)
                                .matches("cuda:0 \\| Fake 0 \\| CUDA 13\\.0(, driver [\\d.]+)?, cuBLAS " + cublas
                                        + " \\| 2147483648 \\| 1073741824"),
                        line -> assertThat(line).isEqualTo("cuBLAS " + cublas + "0000"),
                        line -> assertThat(line)
                                .as("java.io.tmpdir, unchanged")
                                .isEqualTo(System.getProperty("java.io.tmpdir")));
    }

    @Test
    void cublasIsFoundInTheLoadersPathToo() throws Exception {
        for (int major : List.of(12, 13)) {
            assertThat(ForkedJvm.options()
                            .variable("LD_LIBRARY_PATH", fake.driver() + ":" + fake.cublas(major))
                            .variable("FAKE_CUDA", fake.settings().toString())
                            .property(UnpackDirectories.PROPERTY, folder.toString())
                            .run(ProbeProgram.class, "cublas"))
                    .containsExactly("cuBLAS " + major + "0000");
        }
    }

    @Test
    void cublasIsFoundWherePythonKeepsIt() throws Exception {
        String packages = folder.resolve("venv/lib/python3.11/site-packages/nvidia/cublas/lib")
                .toString();
        List<String> lines = fake.jvm(0)
                .variable("VIRTUAL_ENV", folder.resolve("venv").toString())
                .run(ProbeProgram.class, "copy", fake.cublas(12).toString(), packages, "cublas");
        assertThat(lines).hasSize(1);
        assumeTrue(lines.equals(List.of("cuBLAS 120000")), "this machine has a cuBLAS that goes before Python's");
    }

    /** Twice: unpacked, and found unpacked. */
    @ParameterizedTest
    @ValueSource(ints = {12, 13})
    void cublasIsFoundInBytedecosJarOnTheClassPath(int major) throws Exception {
        Path jar = folder.resolve("cuda-redist.jar");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
            for (String library : List.of("libcublas.so.", "libcublasLt.so.")) {
                zip.putNextEntry(new ZipEntry("org/bytedeco/cuda/linux-x86_64/" + library + major));
                Files.copy(fake.cublas(major).resolve(library + major), zip);
            }
        }
        for (int i = 0; i < 2; i++) {
            List<String> lines = fake.jvm(0).jar(jar).run(ProbeProgram.class, "cublas", "origin");
            assertThat(lines).hasSize(2);
            assumeTrue(
                    lines.get(1).startsWith(shared.toRealPath().toString()),
                    "this machine has a cuBLAS that goes before the jar's");
            assertThat(lines.get(0)).isEqualTo("cuBLAS " + major + "0000");
            assertThat(lines.get(1)).contains("/unpacked/cublas-" + major + "-");
        }
    }

    @Test
    void noDriver() throws Exception {
        List<String> lines = ForkedJvm.options()
                .property(UnpackDirectories.PROPERTY, folder.toString())
                .run(ProbeProgram.class, "probe");
        assumeTrue(lines.get(0).contains("libcuda.so.1"), "this machine has a driver: " + lines);
        assertThat(lines)
                .singleElement()
                .asString()
                .startsWith(
                        "cuda:0 | The NVIDIA driver's library libcuda.so.1 cannot be loaded (libcuda.so.1: cannot open"
                                + " shared object file: No such file or directory).")
                .endsWith(see(CudaProblem.NO_DRIVER));
    }

    @Test
    void aBrokenDriver() throws Exception {
        Path broken = Files.createDirectories(folder.resolve("broken"));
        Files.createFile(broken.resolve("libcuda.so.1"));
        assumeNoOtherDriver();
        assertThat(ForkedJvm.options()
                        .variable("LD_LIBRARY_PATH", broken.toString())
                        .property(UnpackDirectories.PROPERTY, folder.toString())
                        .run(ProbeProgram.class, "probe", "probe"))
                .hasSize(2)
                .allSatisfy(line -> assertThat(line)
                        .startsWith("cuda:0 | The NVIDIA driver's library libcuda.so.1 cannot be loaded (")
                        .contains("libcuda.so.1: file too short")
                        .endsWith(see(CudaProblem.NO_DRIVER)));
    }

    @Test
    void aDriverWithoutDevice() throws Exception {
        int noDevice = 100;
        for (Map<String, Integer> settings : List.of(Map.of("cuInit", noDevice), Map.of("devices", 0))) {
            assertThat(probe(settings, 12))
                    .containsExactly(
                            "cuda:0 | The NVIDIA driver is there and shows no device. | nvidia-smi -L lists the"
                                    + " devices; give them to the container if this is one."
                                    + see(CudaProblem.NO_DEVICE));
        }
    }

    @Test
    void hiddenDevicesAreSaidToBeHidden() throws Exception {
        fake.answer(Map.of("cuInit", 100));
        assertThat(fake.jvm(12).variable("CUDA_VISIBLE_DEVICES", "7").run(ProbeProgram.class, "probe"))
                .singleElement()
                .asString()
                .contains(
                        "shows no device; CUDA_VISIBLE_DEVICES is \"7\". | Unset CUDA_VISIBLE_DEVICES or name a device"
                                + " that exists.");
    }

    @Test
    void aDriverThatIsTooOld() throws Exception {
        assertThat(probe(Map.of("driver", 12010), 12))
                .singleElement()
                .asString()
                .matches(
                        "cuda:0 \\| The NVIDIA driver( [\\d.]+)? offers CUDA 12\\.1; needed is CUDA 12\\.2\\. \\| Install"
                                + " driver release 535 or newer\\. See docs/troubleshooting-cuda.md#cuda-driver-too-old\\.");
        assertThat(probe(Map.of("driver", 12020), 12))
                .singleElement()
                .asString()
                .contains("Fake 0 | CUDA 12.2");
    }

    @Test
    void noCublas() throws Exception {
        Path empty = Files.createDirectories(folder.resolve("empty"));
        assertThat(fake.jvm(0)
                        .property(CublasLocator.PROPERTY, empty.toString())
                        .run(ProbeProgram.class, "probe", "probe"))
                .hasSize(2)
                .containsOnly(
                        "cuda:0 | The directory that embed4j.cuda.cublas names has no usable cuBLAS (libcublas.so.12 or"
                                + " libcublas.so.13 and the cublasLt beside it); tried " + empty
                                + ". | Install the CUDA toolkit,"
                                + " or cuBLAS alone with pip install nvidia-cublas-cu12, or set the system property"
                                + " embed4j.cuda.cublas or the variable EMBED4J_CUDA_CUBLAS to the directory that holds it."
                                + see(CudaProblem.CUBLAS_MISSING));
    }

    @Test
    void cublas13IsOfNoUseToADriverForCuda12() throws Exception {
        assertThat(probe(Map.of("driver", 12040), 13))
                .singleElement()
                .asString()
                .contains("tried " + fake.cublas(13) + " (cuBLAS 13, but the driver offers CUDA 12.4).");
    }

    @Test
    void aBrokenCublasIsNamedWithTheLoadersWords() throws Exception {
        Path broken = Files.createDirectories(folder.resolve("broken"));
        Files.copy(fake.cublas(12).resolve("libcublas.so.12"), broken.resolve("libcublas.so.12"));
        assertThat(fake.jvm(0)
                        .property(CublasLocator.PROPERTY, broken.toString())
                        .run(ProbeProgram.class, "probe"))
                .singleElement()
                .asString()
                .contains("tried " + broken + " (", "libcublasLt.so.12: cannot open shared object file");
    }

    /** Driver release and the place of cuBLAS differ from machine to machine. */
    @Test
    void whatIsKnownOfADeviceIsToldWhetherItIsUsableOrNot() throws Exception {
        fake.answer(Map.of("devices", 2, "capability", 70, "capability1", 120));
        assertThat(fake.jvm(13).run(ProbeProgram.class, "details"))
                .satisfiesExactly(
                        line -> assertThat(line).startsWith("Fake 0 ").contains("computeCapability=7.0", "cuda=13.0"),
                        line -> assertThat(line)
                                .startsWith("Fake 1 ")
                                .contains("computeCapability=12.0", "cuda=13.0", "cublas=13 in "));
        Path empty = Files.createDirectories(folder.resolve("without"));
        assertThat(fake.jvm(0)
                        .property(CublasLocator.PROPERTY, empty.toString())
                        .run(ProbeProgram.class, "details"))
                .hasSize(2)
                .allSatisfy(line -> assertThat(line).startsWith("Fake ").doesNotContain("cublas"));
    }

    @Test
    void aDeviceThatIsTooOldDoesNotHideTheOther() throws Exception {
        assertThat(probe(Map.of("devices", 2, "capability", 70, "capability1", 75), 12))
                .satisfiesExactly(
                        line -> assertThat(line)
                                .isEqualTo("cuda:0 | cuda:0 (Fake 0) has compute capability 7.0; needed is 7.5. | Use a"
                                        + " device of the Turing generation (2018) or newer, or the device cpu."
                                        + see(CudaProblem.DEVICE_TOO_OLD)),
                        line -> assertThat(line).startsWith("cuda:1 | Fake 1 | CUDA 13.0"));
    }

    @ParameterizedTest
    @CsvSource({
        "cuInit, 34, cuInit, CUDA_ERROR_STUB_LIBRARY, take its stubs folder out of LD_LIBRARY_PATH",
        "cuInit, 802, cuInit, CUDA_ERROR_SYSTEM_NOT_READY, nvidia-fabricmanager",
        "cuInit, 803, cuInit, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, reboot",
        "cuInit, 999, cuInit, CUDA_ERROR_UNKNOWN, reload or reinstall the driver",
        "cuDevicePrimaryCtxRetain, 2, cuDevicePrimaryCtxRetain of cuda:0 (Fake 0), CUDA_ERROR_OUT_OF_MEMORY, memory is full",
        "cuDevicePrimaryCtxRetain, 46, cuDevicePrimaryCtxRetain of cuda:0 (Fake 0), CUDA_ERROR_DEVICE_UNAVAILABLE, nvidia-smi -q -d COMPUTE",
        "cuMemGetInfo, 214, cuMemGetInfo of cuda:0 (Fake 0), CUDA_ERROR_ECC_UNCORRECTABLE, nvidia-smi -q -d ECC",
    })
    void anUnusableDeviceIsToldWithTheErrorsName(String setting, int status, String call, String error, String remedy)
            throws Exception {
        assertThat(probe(Map.of(setting, status), 12))
                .singleElement()
                .asString()
                .startsWith("cuda:0 | " + call + " failed with " + error + " (" + status + "). | ")
                .contains(remedy)
                .endsWith(see(CudaProblem.DEVICE_UNUSABLE));
    }

    @Test
    void nothingIsFoundOnOtherSystems() throws Exception {
        assertThat(fake.jvm(12).property("os.arch", "aarch64").run(ProbeProgram.class, "probe"))
                .containsExactly(
                        "cuda:0 | CUDA is offered on Linux and Windows with x86_64; this is Linux with aarch64. |"
                                + " Use the device cpu." + see(CudaProblem.UNSUPPORTED_PLATFORM));
    }

    /** One JVM sees all of it, and comes out able to call cuBLAS: nothing it met on the way was final. */
    @Test
    void whatHasGoneIsNotRemembered() throws Exception {
        Path driver = Files.createDirectories(folder.resolve("driver"));
        Path cublas = Files.createDirectories(folder.resolve("cublas"));
        Files.createFile(driver.resolve("libcuda.so.1")); // broken
        assumeNoOtherDriver();
        List<String> steps = List.of(
                "probe",
                "copy " + fake.driver() + " " + driver,
                "set driver 11040",
                "probe",
                "set driver 13000",
                "set cuInit 100",
                "probe",
                "set cuInit 0",
                "probe",
                "copy " + fake.cublas(13) + " " + cublas,
                "set cuDevicePrimaryCtxRetain 46",
                "probe",
                "set cuDevicePrimaryCtxRetain 0",
                "probe",
                "cublas");
        List<String> lines = fake.jvm(0)
                .variable("LD_LIBRARY_PATH", driver.toString())
                .property(CublasLocator.PROPERTY, cublas.toString())
                .run(ProbeProgram.class, String.join(" ", steps).split(" "));
        assertThat(lines)
                .satisfiesExactly(
                        line -> assertThat(line).endsWith(see(CudaProblem.NO_DRIVER)),
                        line -> assertThat(line).endsWith(see(CudaProblem.DRIVER_TOO_OLD)),
                        line -> assertThat(line).endsWith(see(CudaProblem.NO_DEVICE)),
                        line -> assertThat(line).endsWith(see(CudaProblem.CUBLAS_MISSING)),
                        line -> assertThat(line).endsWith(see(CudaProblem.DEVICE_UNUSABLE)),
                        line -> assertThat(line).startsWith("cuda:0 | Fake 0 | CUDA 13.0"),
                        line -> assertThat(line).isEqualTo("cuBLAS 130000"));
    }

    private static void assumeNoOtherDriver() {
        assumeTrue(
                DriverLoader.UNTOLD_PLACES.stream().noneMatch(place -> Files.exists(place.resolve("libcuda.so.1"))),
                "this machine has a driver that would be found behind the broken one");
    }
}
