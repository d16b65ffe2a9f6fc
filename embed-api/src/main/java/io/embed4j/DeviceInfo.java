// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;

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
 * @since 0.1
 */
public record DeviceInfo(String id, String backend, String name, String engine, long totalBytes, long freeBytes)
        implements Serializable {
    private static final long serialVersionUID = 1L;
}
