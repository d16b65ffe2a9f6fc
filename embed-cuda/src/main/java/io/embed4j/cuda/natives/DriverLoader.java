// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Loads JCuda's native for the driver. The driver itself is the system's: its loader finds it, or it lies in one of the
 * few places where containers and distributions put it without telling the loader.
 */
final class DriverLoader {
    static final List<Path> UNTOLD_PLACES = List.of(
            Path.of("/usr/local/nvidia/lib64"), // Google Kubernetes Engine
            Path.of("/usr/lib/wsl/lib"), // Windows Subsystem for Linux
            Path.of("/run/opengl-driver/lib")); // NixOS

    private DriverLoader() {}

    static Path load(Platform platform, JcudaNative library) {
        try {
            return library.load();
        } catch (JcudaNative.DependencyException e) {
            if (!isAboutTheDriver(platform, e)) {
                throw unusable(e);
            }
            for (Path place : UNTOLD_PLACES) {
                if (Files.exists(place.resolve(platform.driverFile()))) {
                    return loadWith(place, platform, library);
                }
            }
            throw noDriver(platform, e.words());
        }
    }

    private static Path loadWith(Path place, Platform platform, JcudaNative library) {
        try {
            SystemLibrary.load(place.resolve(platform.driverFile()));
            return library.load();
        } catch (JcudaNative.DependencyException e) {
            throw isAboutTheDriver(platform, e) ? noDriver(platform, e.words()) : unusable(e);
        } catch (UnsatisfiedLinkError e) {
            throw noDriver(platform, String.valueOf(e.getMessage()));
        }
    }

    /** Windows does not say which library is missing; it is the driver, as its C library comes with the JVM. */
    private static boolean isAboutTheDriver(Platform platform, JcudaNative.DependencyException e) {
        return platform == Platform.WINDOWS || e.words().contains(platform.driverFile());
    }

    private static CudaUnavailableException noDriver(Platform platform, String words) {
        Machine machine = Machine.current();
        String seen = "The NVIDIA driver's library " + platform.driverFile() + " cannot be loaded (" + words + ").";
        String remedy;
        if (machine.kernelModule().isPresent()) {
            seen += " The kernel module " + machine.kernelModule().get() + " is there, so this may be a container that"
                    + " was not given the GPU.";
            remedy =
                    "Start the container with the NVIDIA Container Toolkit, for instance docker run --gpus all; outside a"
                            + " container reinstall the driver.";
        } else if (machine.hasNvidiaGpu()) {
            seen += " This machine has an NVIDIA GPU.";
            remedy = "Install the NVIDIA driver, release " + DriverVersion.NEEDED_RELEASE + " or newer.";
        } else {
            remedy = "Without an NVIDIA GPU use the device cpu; with one install the NVIDIA driver, release "
                    + DriverVersion.NEEDED_RELEASE + " or newer, and give the GPU to the container if this is one.";
        }
        return new CudaUnavailableException(CudaProblem.NO_DRIVER, seen, remedy);
    }

    private static CudaUnavailableException unusable(JcudaNative.DependencyException e) {
        return new CudaUnavailableException(
                CudaProblem.NATIVES_UNUSABLE,
                "JCuda's native library for the driver cannot be loaded (" + e.words() + ").",
                "It needs glibc 2.17 or newer and libstdc++.so.6; images based on musl, as Alpine, do not run it.");
    }
}
