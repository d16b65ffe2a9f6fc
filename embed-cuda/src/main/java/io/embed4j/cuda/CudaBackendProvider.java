// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.DeviceUnavailableException;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import java.util.List;

/**
 * Takes the place of the CUDA backend in this version: it runs nothing and says so, so that {@code cuda:0} is refused
 * with a reason and {@code auto} takes the CPU.
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
        return List.of(DeviceProbe.unusable(new DeviceId(NAME, 0), PROBLEM, REMEDY));
    }

    @Override
    public Device open(DeviceId id) {
        throw new DeviceUnavailableException("The device \"" + id + "\" cannot be used: " + PROBLEM + " " + REMEDY);
    }
}
