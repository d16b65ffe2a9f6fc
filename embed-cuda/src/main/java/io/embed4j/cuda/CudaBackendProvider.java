// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.DeviceInfo;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.GpuCard;
import io.embed4j.cuda.natives.CudaLibraries;
import io.embed4j.cuda.natives.CudaProbe;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DevicePlanner;
import io.embed4j.spi.DeviceProbe;
import java.util.List;
import java.util.Optional;

/** The NVIDIA GPUs of this machine. */
public final class CudaBackendProvider implements BackendProvider {
    static final String NAME = "cuda";

    /** For {@link java.util.ServiceLoader}. */
    public CudaBackendProvider() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int priority() {
        return 10;
    }

    @Override
    public List<DeviceProbe> probe() {
        return CudaProbe.devices();
    }

    @Override
    public Optional<DevicePlanner> planner(GpuCard card) {
        return Optional.of(CudaPlanner.of(card));
    }

    @Override
    public Device open(DeviceId id) {
        DeviceProbe found = probe().stream()
                .filter(probe -> probe.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new DeviceUnavailableException("The device \"" + id + "\" does not exist."));
        DeviceInfo info = found.device()
                .orElseThrow(() -> new DeviceUnavailableException(
                        "The device \"" + id + "\" cannot be used: " + found.problem() + " " + found.remedy()));
        return CudaDevice.open(info, id.ordinal(), CudaLibraries.load());
    }
}
