// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.DeviceUnavailableException;
import io.embed4j.cuda.natives.CudaProbe;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import java.util.List;

/**
 * Finds CUDA devices, and in this version runs nothing on them and says so: {@code cuda:0} is refused with a reason and
 * {@code auto} takes the CPU.
 */
public final class CudaBackendProvider implements BackendProvider {
    private static final String NAME = "cuda";
    private static final String PROBLEM = "This version of embed4j does not run models on NVIDIA GPUs yet.";
    private static final String REMEDY = "Use the device cpu, or auto.";

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
        return CudaProbe.devices().stream()
                .map(found -> found.device().isPresent() ? DeviceProbe.unusable(found.id(), PROBLEM, REMEDY) : found)
                .toList();
    }

    @Override
    public Device open(DeviceId id) {
        throw new DeviceUnavailableException("The device \"" + id + "\" cannot be used: " + PROBLEM + " " + REMEDY);
    }
}
