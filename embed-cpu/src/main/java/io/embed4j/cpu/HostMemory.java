// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** The machine's memory, or the container's where the JVM sees one. */
final class HostMemory {
    private static final Path MEMINFO = Path.of("/proc/meminfo");

    private HostMemory() {}

    static long totalBytes() {
        return system().getTotalMemorySize();
    }

    /** What can be used without swapping: on Linux MemAvailable, which counts the page cache; elsewhere free memory. */
    static long freeBytes() {
        long free = system().getFreeMemorySize();
        try {
            if (Files.isReadable(MEMINFO)) {
                for (String line : Files.readAllLines(MEMINFO)) {
                    if (line.startsWith("MemAvailable:")) {
                        long available = Long.parseLong(line.replaceAll("\\D", "")) << 10;
                        return Math.min(Math.max(free, available), totalBytes());
                    }
                }
            }
        } catch (IOException e) {
            return free;
        }
        return free;
    }

    private static OperatingSystemMXBean system() {
        return (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    }
}
