// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

/**
 * The bytes one tenant needs on a device, by purpose. One arithmetic serves the allocation and the fit report.
 *
 * <pre>{@code
 * MemoryPlan plan = new MemoryPlan(90_000_000, 12_000_000, 4_000_000, 1_000_000);
 * if (plan.totalBytes() != 107_000_000) throw new AssertionError();
 * }</pre>
 *
 * @param weightBytes weights as the device holds them
 * @param activationBytes activations at the token budget
 * @param workspaceBytes workspaces, and what rounding up to whole granules leaves over
 * @param stagingBytes inputs and outputs of the batches that may be under way
 * @since 0.1
 */
public record MemoryPlan(long weightBytes, long activationBytes, long workspaceBytes, long stagingBytes) {

    /**
     * A plan without staging.
     *
     * @param weightBytes weights as the device holds them
     * @param activationBytes activations at the token budget
     * @param workspaceBytes workspaces
     */
    public MemoryPlan(long weightBytes, long activationBytes, long workspaceBytes) {
        this(weightBytes, activationBytes, workspaceBytes, 0);
    }

    /**
     * Returns all bytes.
     *
     * @return the sum
     */
    public long totalBytes() {
        return weightBytes + activationBytes + workspaceBytes + stagingBytes;
    }
}
