// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A device that can run models.
 *
 * <pre>{@code
 * try (Embedder embedder = Embedder.builder().device("cpu").build()) {
 *     DeviceInfo device = embedder.device();
 *     if (!device.backend().equals("cpu")) throw new AssertionError(device);
 * }
 * }</pre>
 *
 * @param id how users name it: {@code cpu}, {@code cuda:0}
 * @param backend the backend that serves it: {@code cpu}, {@code cuda}
 * @param name the device's own name
 * @param engine what computes, with its version
 * @param totalBytes memory of the device; for the CPU, of the machine
 * @param freeBytes memory free when the device was asked
 * @param details what else there is to know, by name: {@code computeCapability}, {@code driver}, {@code cuda}, {@code
 *     cublas} of a GPU; {@code cores}, {@code architecture}, {@code instructionSets} of a CPU
 * @since 0.1
 */
public record DeviceInfo(
        String id,
        String backend,
        String name,
        String engine,
        long totalBytes,
        long freeBytes,
        Map<String, String> details)
        implements Serializable {
    private static final long serialVersionUID = 2L;

    /** Copies the map, in its order. */
    public DeviceInfo {
        details = Collections.unmodifiableMap(new LinkedHashMap<>(details));
    }

    /**
     * A device of which no more is known.
     *
     * @param id how users name it
     * @param backend the backend that serves it
     * @param name the device's own name
     * @param engine what computes, with its version
     * @param totalBytes memory of the device
     * @param freeBytes memory free when the device was asked
     */
    public DeviceInfo(String id, String backend, String name, String engine, long totalBytes, long freeBytes) {
        this(id, backend, name, engine, totalBytes, freeBytes, Map.of());
    }
}
