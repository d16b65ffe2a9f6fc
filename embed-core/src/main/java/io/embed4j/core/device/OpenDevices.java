// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The devices that are open in this JVM. A device has one account of its memory, so all its tenants share one
 * {@link Device}: the first opens it, the last one closes it.
 */
public final class OpenDevices {
    private static final Map<DeviceId, Entry> OPEN = new HashMap<>();

    private OpenDevices() {}

    private static final class Entry {
        final Device device;
        int leases;

        Entry(Device device) {
            this.device = device;
        }
    }

    /**
     * A tenant's hold on a device.
     *
     * @param device the shared device; not to be closed by tenants
     * @param release gives the hold back, once
     */
    public record Lease(Device device, Runnable release) implements AutoCloseable {
        @Override
        public void close() {
            release.run();
        }
    }

    /**
     * Opens a device, or shares the open one.
     *
     * @param provider the device's backend
     * @param id the device
     * @throws io.embed4j.DeviceUnavailableException if it cannot be opened
     */
    public static Lease lease(BackendProvider provider, DeviceId id) {
        synchronized (OPEN) {
            Entry entry = OPEN.get(id);
            if (entry == null) {
                entry = new Entry(provider.open(id));
                OPEN.put(id, entry);
            }
            entry.leases++;
            Device device = entry.device;
            AtomicBoolean held = new AtomicBoolean(true);
            return new Lease(device, () -> {
                if (held.compareAndSet(true, false)) {
                    release(id);
                }
            });
        }
    }

    private static void release(DeviceId id) {
        synchronized (OPEN) {
            Entry entry = OPEN.get(id);
            if (entry != null && --entry.leases == 0) {
                OPEN.remove(id);
                entry.device.close();
            }
        }
    }
}
