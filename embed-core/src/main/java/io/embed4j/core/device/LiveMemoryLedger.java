// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * The account of a device whose memory others use too: what is free is asked for, what tenants reserved is summed.
 *
 * <p>A reservation is refused if it exceeds what is free. Memory that a tenant has reserved but not yet touched still
 * counts as free with the operating system, so two tenants loading at once may together be promised too much; on the
 * CPU the system then swaps rather than fails.
 */
public final class LiveMemoryLedger implements MemoryLedger {
    private final String device;
    private final long totalBytes;
    private final LongSupplier freeBytes;
    private final AtomicLong reservedBytes = new AtomicLong();

    /**
     * Opens an account.
     *
     * @param device the device's id, for messages
     * @param totalBytes memory of the device
     * @param freeBytes asked at every use
     */
    public LiveMemoryLedger(String device, long totalBytes, LongSupplier freeBytes) {
        this.device = device;
        this.totalBytes = totalBytes;
        this.freeBytes = freeBytes;
    }

    @Override
    public long totalBytes() {
        return totalBytes;
    }

    @Override
    public long freeBytes() {
        return freeBytes.getAsLong();
    }

    @Override
    public long reservedBytes() {
        return reservedBytes.get();
    }

    @Override
    public Reservation reserve(String tenant, MemoryPlan plan) {
        requireFree(tenant, plan.totalBytes());
        reservedBytes.addAndGet(plan.totalBytes());
        return new Entry(tenant, plan);
    }

    private void requireFree(String tenant, long bytes) {
        long free = freeBytes();
        if (bytes > free) {
            throw new EmbedException(
                    HelpTopic.OUT_OF_DEVICE_MEMORY,
                    String.format(
                            Locale.ROOT,
                            "%s needs %.2f GiB but %s has %.2f GiB free of %.2f. Close other models or indexes, or lower maxBatchTokens.",
                            tenant,
                            gibibytes(bytes),
                            device,
                            gibibytes(free),
                            gibibytes(totalBytes)));
        }
    }

    private final class Entry implements Reservation {
        private final String tenant;
        private MemoryPlan plan;
        private boolean open = true;

        Entry(String tenant, MemoryPlan plan) {
            this.tenant = tenant;
            this.plan = plan;
        }

        @Override
        public synchronized MemoryPlan plan() {
            return plan;
        }

        @Override
        public synchronized void resize(MemoryPlan other) {
            long growth = other.totalBytes() - plan.totalBytes();
            requireFree(tenant, growth);
            reservedBytes.addAndGet(growth);
            plan = other;
        }

        @Override
        public synchronized void close() {
            if (open) {
                open = false;
                reservedBytes.addAndGet(-plan.totalBytes());
            }
        }
    }

    private static double gibibytes(long bytes) {
        return bytes / (double) (1L << 30);
    }
}
