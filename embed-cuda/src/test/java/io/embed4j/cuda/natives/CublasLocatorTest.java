// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In trees of directories that are made up. */
class CublasLocatorTest {
    @TempDir
    private Path temporary;

    private Path root;

    @BeforeEach
    void withoutLinks() throws IOException {
        root = temporary.toRealPath();
    }

    private void make(String... directories) throws IOException {
        for (String directory : directories) {
            Files.createDirectories(root.resolve(directory));
        }
    }

    private CublasLocator locator(Map<String, String> environment, @Nullable String named) {
        return new CublasLocator(
                Platform.LINUX, environment, root, root.resolve("home").toString(), named);
    }

    private List<String> directories(Map<String, String> environment) {
        return locator(environment, null).directories().stream()
                .map(directory -> root.relativize(directory).toString())
                .toList();
    }

    @Test
    void anEmptyMachineHasNone() {
        assertThat(directories(Map.of())).isEmpty();
    }

    @Test
    void theVariablesGoBeforeTheUsualPlacesAndTheNewestToolkitBeforeOlderOnes() throws IOException {
        make("home-of-cuda/lib64", "path-of-cuda/targets/x86_64-linux/lib", "opt/cuda/lib64");
        make("usr/local/cuda-12.9/lib64", "usr/local/cuda-12.10/lib64", "usr/local/cuda-11/lib64", "usr/local/cuda-x");
        Files.createSymbolicLink(root.resolve("usr/local/cuda"), root.resolve("usr/local/cuda-12.9"));
        assertThat(directories(Map.of(
                        "CUDA_HOME", root + "/home-of-cuda",
                        "CUDA_PATH", root + "/path-of-cuda")))
                .containsExactly(
                        "home-of-cuda/lib64",
                        "path-of-cuda/targets/x86_64-linux/lib",
                        "usr/local/cuda-12.9/lib64", // what usr/local/cuda links to; not twice
                        "usr/local/cuda-12.10/lib64",
                        "usr/local/cuda-11/lib64",
                        "opt/cuda/lib64");
    }

    @Test
    void pythonsPackagesAreFoundInEveryPythonThatCanBeSeen() throws IOException {
        String cuda12 = "/site-packages/nvidia/cublas/lib";
        String cuda13 = "/site-packages/nvidia/cu13/lib";
        make("on-path/nvidia/cublas/lib", "venv/lib/python3.12" + cuda13, "conda/lib/python3.10" + cuda12);
        make("home/.local/lib/python3.11" + cuda12, "home/.local/lib/python3.12" + cuda12);
        make("tool/bin", "tool/lib/python3.13" + cuda12, "no-python/bin", "no-python/lib/python3.13" + cuda12);
        make(
                "usr/lib/python3/dist-packages/nvidia/cublas/lib",
                "usr/local/lib/python3.11/dist-packages/nvidia/cu13/lib");
        make("usr/local/lib/python2.7" + cuda12);
        Files.createFile(root.resolve("tool/bin/python3"));
        assertThat(directories(Map.of(
                        "PYTHONPATH", root + "/missing:" + root + "/on-path",
                        "VIRTUAL_ENV", root + "/venv",
                        "CONDA_PREFIX", root + "/conda",
                        "PATH", root + "/no-python/bin:" + root + "/tool/bin")))
                .containsExactly(
                        "conda/lib", // conda's own toolkit
                        "on-path/nvidia/cublas/lib",
                        "venv/lib/python3.12" + cuda13,
                        "conda/lib/python3.10" + cuda12,
                        "home/.local/lib/python3.12" + cuda12,
                        "home/.local/lib/python3.11" + cuda12,
                        "tool/lib/python3.13" + cuda12,
                        "usr/local/lib/python3.11/dist-packages/nvidia/cu13/lib",
                        "usr/lib/python3/dist-packages/nvidia/cublas/lib");
    }

    @Test
    void settingsThatMeanNothingAreNoObstacle() {
        assertThat(directories(Map.of("CUDA_HOME", "", "CUDA_PATH", "\0", "PATH", ":::", "PYTHONPATH", "\0:x")))
                .isEmpty();
    }

    @Test
    void theUserNamesADirectoryOrAFileInIt() throws IOException {
        make("mine");
        Path file = Files.createFile(root.resolve("mine/libcublas.so.12"));
        Optional<Path> mine = Optional.of(root.resolve("mine"));
        assertThat(locator(Map.of(), root + "/mine").named()).isEqualTo(mine);
        assertThat(locator(Map.of(), file.toString()).named()).isEqualTo(mine);
        assertThat(locator(Map.of("EMBED4J_CUDA_CUBLAS", root + "/mine"), null).named())
                .isEqualTo(mine);
        assertThat(locator(Map.of("EMBED4J_CUDA_CUBLAS", root + "/other"), root + "/mine")
                        .named())
                .isEqualTo(mine);
        assertThat(locator(Map.of(), " ").named()).isEmpty();
    }

    @Test
    void windowsHasOtherFolders() throws IOException {
        make("toolkit/bin/x64", "toolkit/bin", "venv/Lib/site-packages/nvidia/cublas/bin");
        CublasLocator locator = new CublasLocator(
                Platform.WINDOWS,
                Map.of("CUDA_PATH", root + "/toolkit", "VIRTUAL_ENV", root + "/venv"),
                root,
                null,
                null);
        assertThat(locator.directories())
                .containsExactly(
                        root.resolve("toolkit/bin/x64"),
                        root.resolve("toolkit/bin"),
                        root.resolve("venv/Lib/site-packages/nvidia/cublas/bin"));
    }
}
