// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.List;

/**
 * Every device that backends know of, usable or not, with the reason and the remedy.
 *
 * <pre>{@code
 * for (DeviceReport.Entry entry : DeviceReport.detect().entries()) {
 *     System.out.println(entry.id() + ": " + (entry.usable() ? entry.name() : entry.problem() + " " + entry.remedy()));
 * }
 * }</pre>
 *
 * @param entries one per device or failed detection, best usable device first
 * @since 0.1
 */
public record DeviceReport(List<Entry> entries) implements Serializable {
    private static final long serialVersionUID = 1L;

    /**
     * One device, or one backend that found none.
     *
     * <pre>{@code
     * boolean anyGpu = DeviceReport.detect().entries().stream()
     *         .anyMatch(entry -> entry.usable() && entry.id().startsWith("cuda"));
     * }</pre>
     *
     * @param id how users name it: {@code cpu}, {@code cuda:0}
     * @param name the device's own name; empty if there is none
     * @param usable whether models can run on it
     * @param totalBytes memory; 0 if unknown
     * @param freeBytes free memory; 0 if unknown
     * @param problem why it is not usable; empty if it is
     * @param remedy what would make it usable; empty if it is
     */
    public record Entry(
            String id, String name, boolean usable, long totalBytes, long freeBytes, String problem, String remedy)
            implements Serializable {
        private static final long serialVersionUID = 1L;
    }

    /** Copies the list. */
    public DeviceReport {
        entries = List.copyOf(entries);
    }

    /**
     * Asks every backend on the class path. Never fails because a device is missing or broken.
     *
     * @return the report
     */
    public static DeviceReport detect() {
        return EmbedderFactory.find().detectDevices();
    }
}
