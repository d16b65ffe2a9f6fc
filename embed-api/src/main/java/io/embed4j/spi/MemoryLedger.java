// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

/**
 * The account of a device's memory: what its tenants have reserved, and what is left.
 *
 * <pre>{@code
 * BiFunction<MemoryLedger, MemoryPlan, Boolean> fits = (ledger, plan) -> plan.totalBytes() <= ledger.freeBytes();
 * }</pre>
 *
 * @since 0.1
 */
public interface MemoryLedger {

    /**
     * Returns the device's memory.
     *
     * @return bytes
     */
    long totalBytes();

    /**
     * Returns what can still be reserved.
     *
     * @return bytes
     */
    long freeBytes();

    /**
     * Returns what tenants have reserved.
     *
     * @return bytes
     */
    long reservedBytes();

    /**
     * Enters a tenant.
     *
     * @param tenant its name, for reports
     * @param plan what it needs
     * @return to be closed when the tenant leaves
     * @throws io.embed4j.EmbedException if it does not fit
     */
    Reservation reserve(String tenant, MemoryPlan plan);

    /**
     * A tenant's entry.
     *
     * <pre>{@code
     * BiConsumer<MemoryLedger, MemoryPlan> briefly = (ledger, plan) -> {
     *     try (MemoryLedger.Reservation reservation = ledger.reserve("model", plan)) {
     *         System.out.println(reservation.plan());
     *     }
     * };
     * }</pre>
     */
    interface Reservation extends AutoCloseable {
        /**
         * Returns what was reserved.
         *
         * @return the plan
         */
        MemoryPlan plan();

        /**
         * Changes what is reserved.
         *
         * @param plan what the tenant needs from now on
         * @throws io.embed4j.EmbedException if what it needs more does not fit; the reservation stays as it was
         */
        void resize(MemoryPlan plan);

        /** Gives the bytes back. */
        @Override
        void close();
    }
}
