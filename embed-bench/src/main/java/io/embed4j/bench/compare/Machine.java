// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Where a comparison ran.
 *
 * @param cpu model name of the processor
 * @param vectorInstructions those of its instruction sets that matter for matrix products
 * @param cores processors that this JVM may use, and every rival
 * @param loadAverage runnable processes over the last minute, before the rivals started; negative if unknown
 * @param memoryBytes of the machine; 0 if unknown
 * @param system operating system
 * @param jdk Java of the driver and of all rivals in Java
 */
record Machine(
        String cpu,
        List<String> vectorInstructions,
        int cores,
        double loadAverage,
        long memoryBytes,
        String system,
        String jdk) {
    private static final Pattern VECTOR_INSTRUCTIONS =
            Pattern.compile("avx2|avx512f|avx512_vnni|avx_vnni|avx512_bf16|amx_int8|amx_bf16|asimddp|i8mm|bf16|sve2?");

    /** This machine, now. */
    static Machine here() {
        return new Machine(
                cpuInfo("model name", System.getProperty("os.arch")),
                Arrays.stream((cpuInfo("flags", "") + " " + cpuInfo("Features", "")).split(" ", -1))
                        .filter(VECTOR_INSTRUCTIONS.asMatchPredicate())
                        .toList(),
                Runtime.getRuntime().availableProcessors(),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
                totalMemoryBytes(),
                System.getProperty("os.name") + " " + System.getProperty("os.version"),
                System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
    }

    /** The first value of a key in Linux's description of the processors. */
    private static String cpuInfo(String key, String otherwise) {
        return lines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith(key))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse(otherwise);
    }

    private static long totalMemoryBytes() {
        return lines(Path.of("/proc/meminfo")).stream()
                .filter(line -> line.startsWith("MemTotal:"))
                .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(0);
    }

    private static List<String> lines(Path file) {
        try {
            return Files.isReadable(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
