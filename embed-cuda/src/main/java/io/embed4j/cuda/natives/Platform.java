// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.util.Locale;
import java.util.Optional;

/**
 * The systems that JCuda has natives for, and how libraries are called there.
 *
 * <p>Windows is built for and has never been tried.
 */
enum Platform {
    LINUX("linux", "libcuda.so.1"),
    WINDOWS("windows", "nvcuda.dll");

    private final String name;
    private final String driver;

    Platform(String name, String driver) {
        this.name = name;
        this.driver = driver;
    }

    /** The platform of this JVM, if it is one of them. */
    static Optional<Platform> current() {
        return of(System.getProperty("os.name"), System.getProperty("os.arch"));
    }

    static Optional<Platform> of(String system, String architecture) {
        String os = system.toLowerCase(Locale.ROOT);
        String arch = architecture.toLowerCase(Locale.ROOT);
        if (!arch.equals("amd64") && !arch.equals("x86_64")) {
            return Optional.empty();
        }
        if (os.startsWith("linux")) {
            return Optional.of(LINUX);
        }
        return os.startsWith("windows") ? Optional.of(WINDOWS) : Optional.empty();
    }

    /** The classifier of JCuda's native artifacts. */
    String classifier() {
        return name + "-x86_64";
    }

    /** The file that the NVIDIA driver brings. */
    String driverFile() {
        return driver;
    }

    /** The file of one of JCuda's natives; {@code base} is for instance {@code JCudaDriver}. */
    String jcudaFile(String base, String version) {
        String library = base + "-" + version + "-" + classifier();
        return this == WINDOWS ? library + ".dll" : "lib" + library + ".so";
    }

    /** The file of a CUDA library; {@code base} is {@code cublas} or {@code cublasLt}. */
    String cudaFile(String base, int major) {
        return this == WINDOWS ? base + "64_" + major + ".dll" : "lib" + base + ".so." + major;
    }
}
