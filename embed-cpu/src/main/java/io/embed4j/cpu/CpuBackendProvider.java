// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.DeviceInfo;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Offers the one CPU. */
public final class CpuBackendProvider implements BackendProvider {

    /** For {@link java.util.ServiceLoader}. */
    public CpuBackendProvider() {}

    @Override
    public String name() {
        return DeviceId.CPU.backend();
    }

    @Override
    public int priority() {
        return 0;
    }

    @Override
    public List<DeviceProbe> probe() {
        return List.of(OnnxRuntime.obstacle()
                .map(obstacle -> DeviceProbe.unusable(DeviceId.CPU, obstacle.reason(), obstacle.remedy()))
                .orElseGet(() -> DeviceProbe.usable(DeviceId.CPU, info())));
    }

    @Override
    public Device open(DeviceId id) {
        OnnxRuntime.obstacle().ifPresent(obstacle -> {
            throw obstacle.exception();
        });
        return new CpuDevice(info());
    }

    private static Map<String, String> details() {
        Map<String, String> details = new LinkedHashMap<>();
        details.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        details.put("architecture", System.getProperty("os.arch"));
        details.put("instructionSets", String.join(" ", InstructionSet.thatMatter()));
        return details;
    }

    private static DeviceInfo info() {
        return new DeviceInfo(
                DeviceId.CPU.toString(),
                DeviceId.CPU.backend(),
                InstructionSet.processorName(),
                OnnxRuntime.description(),
                HostMemory.totalBytes(),
                HostMemory.freeBytes(),
                details());
    }
}
