// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineTest {
    @TempDir
    private Path root;

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text + "\n");
    }

    @Test
    void theKernelModulesReleaseIsReadInBothSpellings() throws IOException {
        Machine machine = new Machine(root);
        assertThat(machine.kernelModule()).isEmpty();
        write(
                "proc/driver/nvidia/version",
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023");
        assertThat(machine.kernelModule()).hasValue("535.129.03");
        write(
                "proc/driver/nvidia/version",
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build  (root@host)");
        assertThat(machine.kernelModule()).hasValue("575.57.08");
        write("proc/driver/nvidia/version", "something else");
        assertThat(machine.kernelModule()).isEmpty();
    }

    @Test
    void aGpuIsADisplayOr3dControllerOfNvidia() throws IOException {
        Machine machine = new Machine(root);
        assertThat(machine.hasNvidiaGpu()).isFalse();
        write("sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086");
        write("sys/bus/pci/devices/0000:00:02.0/class", "0x030000");
        write("sys/bus/pci/devices/0000:01:00.1/vendor", "0x10de");
        write("sys/bus/pci/devices/0000:01:00.1/class", "0x040300"); // the card's sound
        assertThat(machine.hasNvidiaGpu()).isFalse();
        write("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de");
        write("sys/bus/pci/devices/0000:01:00.0/class", "0x030200");
        assertThat(machine.hasNvidiaGpu()).isTrue();
    }
}
