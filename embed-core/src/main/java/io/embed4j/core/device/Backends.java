// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import io.embed4j.DeviceInfo;
import io.embed4j.DeviceReport;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backends on the class path, best first. A backend that cannot be loaded does not hide the others: it becomes an
 * unusable entry of the report.
 */
public final class Backends {
    private static final Logger LOG = LoggerFactory.getLogger(Backends.class);

    private static final String NO_BACKEND = "No backend is on the class path. Add io.embed4j:embed4j.";

    private final List<BackendProvider> providers;
    private final List<DeviceProbe> broken;

    /**
     * Takes what was found.
     *
     * @param providers backends in any order
     * @param broken what is to be reported of backends that could not be loaded
     */
    public Backends(List<BackendProvider> providers, List<DeviceProbe> broken) {
        this.providers = providers.stream()
                .sorted(Comparator.comparingInt(BackendProvider::priority).reversed())
                .toList();
        this.broken = List.copyOf(broken);
    }

    /** Finds all backends. */
    public static Backends find() {
        List<BackendProvider> providers = new ArrayList<>();
        List<DeviceProbe> broken = new ArrayList<>();
        Iterator<BackendProvider> found = ServiceLoader.load(BackendProvider.class, Backends.class.getClassLoader())
                .iterator();
        while (true) {
            try {
                if (!found.hasNext()) {
                    break;
                }
                providers.add(found.next());
            } catch (ServiceConfigurationError | LinkageError e) {
                broken.add(DeviceProbe.unusable(
                        new DeviceId("unknown", 0),
                        "A backend on the class path could not be loaded: " + e.getMessage() + ".",
                        "Use the same version of all embed4j artifacts; embed-bom keeps them together."));
            }
        }
        return new Backends(providers, broken);
    }

    /** Every device, usable ones first. */
    public DeviceReport report() {
        List<DeviceReport.Entry> entries = new ArrayList<>();
        for (DeviceProbe probe : probes()) {
            entries.add(new DeviceReport.Entry(
                    probe.id().toString(),
                    probe.device().map(DeviceInfo::name).orElse(""),
                    probe.device().isPresent(),
                    probe.device().map(DeviceInfo::totalBytes).orElse(0L),
                    probe.device().map(DeviceInfo::freeBytes).orElse(0L),
                    probe.problem(),
                    probe.remedy()));
        }
        entries.sort(Comparator.comparing(DeviceReport.Entry::usable).reversed());
        return new DeviceReport(entries);
    }

    /**
     * Resolves a device as users name it. A named device is kept or refused; only {@code auto} steps down, and says so.
     *
     * @param device {@code auto}, {@code cpu}, {@code cuda:0}
     * @throws DeviceUnavailableException if it cannot be used, with the reason and the remedy
     */
    public DeviceId resolve(String device) {
        if (device.equals("auto")) {
            return best();
        }
        if (device.endsWith(":*")) {
            throw new DeviceUnavailableException("The device \"" + device
                    + "\" (one model on all GPUs) is not available in this version. Name one device.");
        }
        DeviceId wanted = DeviceId.parse(device);
        // Only its own backend is asked: looking for GPUs takes time that who wants the CPU need not spend.
        List<DeviceProbe> probes = providers.stream()
                .filter(provider -> provider.name().equals(wanted.backend()))
                .flatMap(provider -> probe(provider).stream())
                .toList();
        DeviceProbe probe = probes.stream()
                .filter(candidate -> candidate.id().equals(wanted))
                .findFirst()
                // Where a backend has no device at all, one entry says why, for every device that is asked for.
                .or(() -> probes.stream()
                        .filter(only -> probes.size() == 1 && only.device().isEmpty())
                        .findFirst())
                .orElseThrow(() -> new DeviceUnavailableException(
                        "The device \"" + device + "\" does not exist. " + knownDevices()));
        if (probe.device().isEmpty()) {
            throw new DeviceUnavailableException(
                    "The device \"" + device + "\" cannot be used: " + probe.problem() + " " + probe.remedy());
        }
        return wanted;
    }

    /**
     * Returns the backend of a device.
     *
     * @param id a resolved device
     */
    public BackendProvider provider(DeviceId id) {
        return providers.stream()
                .filter(provider -> provider.name().equals(id.backend()))
                .findFirst()
                .orElseThrow();
    }

    private DeviceId best() {
        List<DeviceProbe> probes = probes();
        DeviceProbe chosen = probes.stream()
                .filter(probe -> probe.device().isPresent())
                .findFirst()
                .orElseThrow(() -> new DeviceUnavailableException("No usable device was found. "
                        + probes.stream()
                                .map(probe -> probe.id() + ": " + probe.problem() + " " + probe.remedy())
                                .collect(Collectors.joining("; "))
                        + (probes.isEmpty() ? NO_BACKEND : "")));
        String passedOver = probes.stream()
                .filter(probe -> probe.device().isEmpty())
                .map(probe -> probe.id() + ": " + probe.problem())
                .collect(Collectors.joining("; "));
        LOG.info(
                "Device auto is {} ({}){}",
                chosen.id(),
                chosen.device().orElseThrow().name(),
                passedOver.isEmpty() ? "" : "; not " + passedOver);
        return chosen.id();
    }

    /** Asks every backend for its devices, the best backend first. */
    public List<DeviceProbe> probes() {
        List<DeviceProbe> probes = new ArrayList<>();
        for (BackendProvider provider : providers) {
            probes.addAll(probe(provider));
        }
        probes.addAll(broken);
        return probes;
    }

    /** A backend that fails to look, which it must not, does not hide the others. */
    private static List<DeviceProbe> probe(BackendProvider provider) {
        try {
            return provider.probe();
        } catch (RuntimeException | LinkageError e) {
            LOG.debug("The backend {} failed to look for devices", provider.name(), e);
            return List.of(DeviceProbe.unusable(
                    new DeviceId(provider.name(), 0),
                    "The backend " + provider.name() + " failed to look for devices: " + e + ".",
                    "Please report this."));
        }
    }

    private String knownDevices() {
        List<String> known = providers.stream()
                .flatMap(provider -> probe(provider).stream())
                .map(probe -> probe.id().toString())
                .toList();
        String unloadable = broken.stream()
                .map(probe -> " " + probe.problem() + " " + probe.remedy())
                .collect(Collectors.joining());
        return (known.isEmpty() ? NO_BACKEND : "Known are " + String.join(", ", known) + ".") + unloadable;
    }
}
