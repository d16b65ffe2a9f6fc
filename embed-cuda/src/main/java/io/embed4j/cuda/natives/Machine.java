// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What Linux tells about NVIDIA's hardware and driver without any library; nothing on other systems.
 *
 * @param root the root of the file system
 */
record Machine(Path root) {
    private static final Pattern RELEASE = Pattern.compile("\\s(\\d{3,}\\.\\d+(\\.\\d+)?)\\s");
    private static final String NVIDIA = "0x10de";
    private static final String DISPLAY_CLASS = "0x03";

    static Machine current() {
        return new Machine(Path.of("/"));
    }

    /** The release of the loaded kernel module, for instance 535.129.03. Containers see the host's. */
    Optional<String> kernelModule() {
        Matcher matcher = RELEASE.matcher(read(root.resolve("proc/driver/nvidia/version")));
        return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
    }

    /** Whether an NVIDIA display or 3D controller is on the PCI bus. */
    boolean hasNvidiaGpu() {
        Path devices = root.resolve("sys/bus/pci/devices");
        if (Files.isDirectory(devices)) {
            try (DirectoryStream<Path> stream = Files.newDirectoryStream(devices)) {
                for (Path device : stream) {
                    if (read(device.resolve("vendor")).startsWith(NVIDIA)
                            && read(device.resolve("class")).startsWith(DISPLAY_CLASS)) {
                        return true;
                    }
                }
            } catch (IOException | DirectoryIteratorException e) {
                return false; // not told
            }
        }
        return false;
    }

    private static String read(Path file) {
        try {
            return Files.isReadable(file) ? Files.readString(file) : "";
        } catch (IOException e) {
            return "";
        }
    }
}
