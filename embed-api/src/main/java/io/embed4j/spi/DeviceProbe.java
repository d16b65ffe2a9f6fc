// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.DeviceInfo;
import java.util.Optional;

/**
 * What a backend found when it looked for a device: the device, or why there is none and what would help.
 *
 * <pre>{@code
 * DeviceProbe none = DeviceProbe.unusable(
 *         new DeviceId("cuda", 0), "No NVIDIA driver was found.", "Install the NVIDIA driver.");
 * if (none.device().isPresent()) throw new AssertionError();
 * }</pre>
 *
 * @param id the device, or the first one that was looked for
 * @param seen what is known of the device, which may be there and not be usable; empty if nothing is
 * @param problem why it cannot be used; empty if it can
 * @param remedy what would make it usable; empty if it is
 * @since 0.1
 */
public record DeviceProbe(DeviceId id, Optional<DeviceInfo> seen, String problem, String remedy) {

    /**
     * Returns the device.
     *
     * @return the device; empty if it cannot be used
     */
    public Optional<DeviceInfo> device() {
        return problem.isEmpty() ? seen : Optional.empty();
    }

    /**
     * A device that can be opened.
     *
     * @param id the device
     * @param device what it is
     * @return the probe
     */
    public static DeviceProbe usable(DeviceId id, DeviceInfo device) {
        return new DeviceProbe(id, Optional.of(device), "", "");
    }

    /**
     * A device that cannot be opened.
     *
     * @param id the device, or the first one that was looked for
     * @param problem why, as a sentence
     * @param remedy what would help, as a sentence
     * @return the probe
     */
    public static DeviceProbe unusable(DeviceId id, String problem, String remedy) {
        return new DeviceProbe(id, Optional.empty(), problem, remedy);
    }

    /**
     * A device that is there and cannot be opened.
     *
     * @param id the device
     * @param seen what is known of it
     * @param problem why, as a sentence
     * @param remedy what would help, as a sentence
     * @return the probe
     */
    public static DeviceProbe unusable(DeviceId id, DeviceInfo seen, String problem, String remedy) {
        return new DeviceProbe(id, Optional.of(seen), problem, remedy);
    }
}
