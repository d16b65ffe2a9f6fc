// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import io.embed4j.spi.DeviceProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;

/**
 * Looks for devices, in a JVM of its own, and prints what it finds, a line per device. Arguments are done in order:
 *
 * <pre>
 * probe              looks
 * details            looks, and prints what is known of each device, usable or not
 * set KEY VALUE      adds an answer to those of the fake driver
 * copy FROM TO       copies the files of a directory into another
 * cublas             calls cuBLAS, and prints its version
 * origin             prints where cuBLAS was found
 * natives            prints where JCuda's natives were loaded from
 * tmpdir             prints java.io.tmpdir
 * await FILE         waits until there is a file
 * </pre>
 */
public final class ProbeProgram {
    private ProbeProgram() {}

    public static void main(String[] arguments) throws IOException {
        Iterator<String> words = List.of(arguments).iterator();
        while (words.hasNext()) {
            switch (words.next()) {
                case "probe" -> CudaProbe.devices().forEach(probe -> System.out.println(line(probe)));
                case "details" ->
                    CudaProbe.devices()
                            .forEach(probe -> System.out.println(probe.seen()
                                    .map(device -> device.name() + " " + device.totalBytes() + " " + device.details())
                                    .orElse("nothing")));
                case "set" ->
                    Files.writeString(
                            Path.of(System.getenv("FAKE_CUDA")),
                            words.next() + " " + words.next() + "\n",
                            StandardOpenOption.CREATE,
                            StandardOpenOption.APPEND);
                case "copy" -> copy(Path.of(words.next()), Path.of(words.next()));
                case "cublas" -> System.out.println("cuBLAS " + cublasVersion());
                case "origin" -> System.out.println(CudaLibraries.load().cublasOrigin());
                case "tmpdir" -> System.out.println(System.getProperty("java.io.tmpdir"));
                case "natives" -> natives().forEach(System.out::println);
                case "await" -> await(Path.of(words.next()));
                default -> throw new IllegalArgumentException();
            }
        }
    }

    private static String line(DeviceProbe probe) {
        return probe.id() + " | "
                + probe.device()
                        .map(device -> device.name() + " | " + device.engine() + " | " + device.totalBytes() + " | "
                                + device.freeBytes())
                        .orElse(probe.problem() + " | " + probe.remedy());
    }

    static List<String> natives() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.contains("r-xp") && line.contains("/libJCu")) // code only
                .map(line -> line.substring(line.indexOf('/')))
                .distinct()
                .sorted()
                .toList();
    }

    private static void await(Path file) {
        while (!Files.exists(file)) {
            Thread.onSpinWait();
        }
    }

    private static int cublasVersion() {
        CudaLibraries.load();
        cublasHandle handle = new cublasHandle();
        int[] version = {0};
        if (JCublas2.cublasCreate(handle) != 0 || JCublas2.cublasGetVersion(handle, version) != 0) {
            throw new IllegalStateException();
        }
        return version[0];
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to);
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }
}
