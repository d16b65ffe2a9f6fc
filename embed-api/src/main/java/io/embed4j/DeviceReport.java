// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Every device that backends know of, usable or not, with the reason and the remedy.
 *
 * <pre>{@code
 * DeviceReport.Entry best = Devices.detect().entries().get(0);
 * System.out.println(best.id() + ": " + best.name() + " " + best.details());
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
     * boolean anyGpu = Devices.detect().entries().stream()
     *         .anyMatch(entry -> entry.usable() && entry.id().startsWith("cuda"));
     * }</pre>
     *
     * @param id how users name it: {@code cpu}, {@code cuda:0}
     * @param name the device's own name; empty if it is not known
     * @param usable whether models can run on it
     * @param totalBytes memory; 0 if unknown
     * @param freeBytes free memory; 0 if unknown
     * @param problem why it is not usable; empty if it is
     * @param remedy what would make it usable; empty if it is
     * @param engine what computes, with its version; empty if it is not known
     * @param details what else there is to know, by name, as in {@link DeviceInfo#details}
     */
    public record Entry(
            String id,
            String name,
            boolean usable,
            long totalBytes,
            long freeBytes,
            String problem,
            String remedy,
            String engine,
            Map<String, String> details)
            implements Serializable {
        private static final long serialVersionUID = 2L;

        /** Copies the map, in its order. */
        public Entry {
            details = Collections.unmodifiableMap(new LinkedHashMap<>(details));
        }
    }

    /** Copies the list. */
    public DeviceReport {
        entries = List.copyOf(entries);
    }
}
