// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import io.embed4j.cuda.natives.JcudaNative.DependencyException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Loads cuBLAS and JCuda's native for it.
 *
 * <p>cuBLAS 12 is what JCuda's native was made for; cuBLAS 13 serves it as well, with the name of the dependency changed
 * ({@link ElfImage}), where the driver offers CUDA 13. A library that is in the process satisfies a dependency of its
 * name, so cuBLAS is loaded from where it lies, and cuBLASLt, on which it depends, before it.
 */
final class CublasLoader {
    private static final int BUILT_FOR = 12;
    private static final int ALSO = 13;
    private static final int DRIVER_FOR_13 = 13_000;

    /**
     * What was loaded.
     *
     * @param major cuBLAS's version
     * @param origin where it was found
     * @param jcudaNative the file of JCuda's native
     */
    record Cublas(int major, String origin, Path jcudaNative) {}

    private final Platform platform;
    private final int driverVersion;
    private final CublasLocator locator;
    private final JcudaNative library;
    private final List<String> tried = new ArrayList<>();

    private CublasLoader(Platform platform, int driverVersion) {
        this.platform = platform;
        this.driverVersion = driverVersion;
        this.locator = CublasLocator.ofThisProcess(platform);
        this.library = JcudaNative.of("JCublas2", platform);
    }

    static Cublas load(Platform platform, int driverVersion) {
        return new CublasLoader(platform, driverVersion).load();
    }

    private Cublas load() {
        Optional<Path> named = locator.named();
        if (named.isPresent()) {
            return fromDirectory(named.get())
                    .orElseThrow(() ->
                            missing("The directory that " + CublasLocator.PROPERTY + " names has no usable cuBLAS"));
        }
        return fromSystem()
                .or(this::fromDirectories)
                .or(this::fromClassPath)
                .orElseThrow(() -> missing("No usable cuBLAS was found"));
    }

    private Optional<Cublas> fromSystem() {
        List<String> words = new ArrayList<>();
        for (int major : majors()) {
            try {
                return Optional.of(new Cublas(
                        major, "the system's library path", nativeFor(major).load()));
            } catch (DependencyException e) {
                words.add(e.words());
            }
        }
        tried.add("the system's library path (" + String.join("; ", words) + ")");
        return Optional.empty();
    }

    private Optional<Cublas> fromDirectories() {
        for (Path directory : locator.directories()) {
            Optional<Cublas> found = fromDirectory(directory);
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    private Optional<Cublas> fromDirectory(Path directory) {
        List<String> refusals = new ArrayList<>();
        for (int major : majors()) {
            Path cublas = directory.resolve(platform.cudaFile("cublas", major));
            if (Files.exists(cublas)) {
                try {
                    Path cublasLt = directory.resolve(platform.cudaFile("cublasLt", major));
                    if (Files.exists(cublasLt)) {
                        SystemLibrary.load(cublasLt);
                    }
                    SystemLibrary.load(cublas);
                    return Optional.of(new Cublas(
                            major, directory.toString(), nativeFor(major).load()));
                } catch (UnsatisfiedLinkError e) {
                    refusals.add(String.valueOf(e.getMessage()));
                } catch (DependencyException e) {
                    refusals.add(e.words());
                }
            }
        }
        if (!majors().contains(ALSO) && Files.exists(directory.resolve(platform.cudaFile("cublas", ALSO)))) {
            refusals.add("cuBLAS 13, but the driver offers " + DriverVersion.text(driverVersion));
        }
        tried.add(refusals.isEmpty() ? directory.toString() : directory + " (" + String.join("; ", refusals) + ")");
        return Optional.empty();
    }

    private Optional<Cublas> fromClassPath() {
        ClassLoader classes = JcudaClasses.loader();
        for (int major : majors()) {
            if (RedistJar.holds(platform, major, classes)) {
                for (Path base : UnpackDirectories.candidates()) {
                    try {
                        Optional<Cublas> cublas = fromDirectory(RedistJar.unpack(platform, major, classes, base));
                        if (cublas.isPresent()) {
                            return cublas;
                        }
                    } catch (IOException e) {
                        tried.add(RedistJar.NAME + " (cannot be unpacked to " + base + ": " + e.getMessage() + ")");
                    }
                }
            }
        }
        tried.add(RedistJar.NAME);
        return Optional.empty();
    }

    private JcudaNative nativeFor(int major) {
        return major == BUILT_FOR
                ? library
                : library.withDependency(platform.cudaFile("cublas", BUILT_FOR), platform.cudaFile("cublas", major));
    }

    private List<Integer> majors() {
        return platform == Platform.LINUX && driverVersion >= DRIVER_FOR_13
                ? List.of(BUILT_FOR, ALSO)
                : List.of(BUILT_FOR);
    }

    private CudaUnavailableException missing(String what) {
        String files = String.join(
                " or ",
                majors().stream()
                        .map(major -> platform.cudaFile("cublas", major))
                        .toList());
        return new CudaUnavailableException(
                CudaProblem.CUBLAS_MISSING,
                what + " (" + files + " and the cublasLt beside it); tried " + String.join(", ", tried) + ".",
                "Install the CUDA toolkit, or cuBLAS alone with pip install nvidia-cublas-cu12, or set the system property "
                        + CublasLocator.PROPERTY + " or the variable " + CublasLocator.VARIABLE
                        + " to the directory that holds it.");
    }
}
