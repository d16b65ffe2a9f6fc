// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * The devices of this machine.
 *
 * <pre>{@code
 * for (DeviceReport.Entry entry : Devices.detect().entries()) {
 *     System.out.println(entry.id() + ": " + (entry.usable() ? entry.name() : entry.problem() + " " + entry.remedy()));
 * }
 * }</pre>
 *
 * @since 0.1
 */
public final class Devices {
    private Devices() {}

    /**
     * Asks every backend on the class path. Never fails because a device is missing or broken.
     *
     * @return every device, usable or not, with the reason and the remedy
     */
    public static DeviceReport detect() {
        return EmbedderFactory.find().detectDevices();
    }
}
