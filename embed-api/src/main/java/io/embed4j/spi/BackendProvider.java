// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.GpuCard;
import java.util.List;
import java.util.Optional;

/**
 * A backend, found by {@link java.util.ServiceLoader}.
 *
 * <pre>{@code
 * for (BackendProvider backend : ServiceLoader.load(BackendProvider.class)) {
 *     System.out.println(backend.name() + " " + backend.probe());
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface BackendProvider {

    /**
     * Returns the name that device ids begin with.
     *
     * @return {@code cpu}, {@code cuda}
     */
    String name();

    /**
     * Returns the place of this backend's devices when {@code auto} chooses.
     *
     * @return higher goes first
     */
    int priority();

    /**
     * Looks for devices. Never throws; may be called again, and then looks again.
     *
     * @return one entry per device; a single unusable one if there is none
     */
    List<DeviceProbe> probe();

    /**
     * Plans for a card that need not be here.
     *
     * @param card its data
     * @return what it would say of memory; empty if this backend does not serve such devices
     */
    default Optional<DevicePlanner> planner(GpuCard card) {
        return Optional.empty();
    }

    /**
     * Opens a device.
     *
     * @param id a device of this backend
     * @return the device; the caller closes it
     * @throws io.embed4j.DeviceUnavailableException if it cannot be used, with reason and remedy
     */
    Device open(DeviceId id);
}
