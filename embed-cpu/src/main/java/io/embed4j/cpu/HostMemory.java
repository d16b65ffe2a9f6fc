// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The machine's memory, or the container's where the JVM sees one. */
final class HostMemory {
    private static final Path MEMORY_INFO = Path.of("/proc/meminfo");
    private static final Path CONTAINER_STATISTICS = Path.of("/sys/fs/cgroup/memory.stat");
    private static final long KIBIBYTE = 1 << 10;

    private HostMemory() {}

    static long totalBytes() {
        return system().getTotalMemorySize();
    }

    /** What can be used without swapping, the page cache that would give way included; where nobody tells, free memory. */
    static long freeBytes() {
        return freeBytes(
                totalBytes(), system().getFreeMemorySize(), contents(MEMORY_INFO), contents(CONTAINER_STATISTICS));
    }

    /**
     * Judges by what the system's files say.
     *
     * @param totalBytes of the container, if there is one, else of the machine
     * @param unusedBytes of the same, without the page cache
     * @param memoryInfo /proc/meminfo, which tells of the machine even in a container
     * @param containerStatistics memory.stat of the container's control group
     */
    static long freeBytes(long totalBytes, long unusedBytes, String memoryInfo, String containerStatistics) {
        long machineBytes = number("MemTotal:", memoryInfo) * KIBIBYTE;
        long availableBytes = number("MemAvailable:", memoryInfo) * KIBIBYTE;
        if (totalBytes >= machineBytes) {
            return Math.max(unusedBytes, availableBytes);
        }
        long inContainer = Math.min(totalBytes, unusedBytes + number("inactive_file", containerStatistics));
        return Math.min(inContainer, availableBytes);
    }

    /** 0 where there is none. */
    private static long number(String name, String lines) {
        Matcher line =
                Pattern.compile("(?m)^" + Pattern.quote(name) + "\\s+(\\d+)").matcher(lines);
        return line.find() ? Long.parseLong(line.group(1)) : 0;
    }

    /** Empty where there is no such file. */
    private static String contents(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "";
        }
    }

    private static OperatingSystemMXBean system() {
        return (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    }
}
