// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

/**
 * The bytes one tenant needs on a device, by purpose. One arithmetic serves the allocation and the fit report.
 *
 * <pre>{@code
 * MemoryPlan plan = new MemoryPlan(90_000_000, 12_000_000, 4_000_000);
 * if (plan.totalBytes() != 106_000_000) throw new AssertionError();
 * }</pre>
 *
 * @param weightBytes weights as the device holds them
 * @param activationBytes activations at the token budget
 * @param workspaceBytes workspaces and staging buffers
 * @since 0.1
 */
public record MemoryPlan(long weightBytes, long activationBytes, long workspaceBytes) {

    /**
     * Returns all bytes.
     *
     * @return the sum
     */
    public long totalBytes() {
        return weightBytes + activationBytes + workspaceBytes;
    }
}
