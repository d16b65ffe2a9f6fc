// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import io.embed4j.DeviceInfo;
import io.embed4j.DeviceReport;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.GpuCard;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DevicePlanner;
import io.embed4j.spi.DeviceProbe;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
                    probe.seen().map(DeviceInfo::name).orElse(""),
                    probe.device().isPresent(),
                    probe.seen().map(DeviceInfo::totalBytes).orElse(0L),
                    probe.seen().map(DeviceInfo::freeBytes).orElse(0L),
                    probe.problem(),
                    probe.remedy(),
                    probe.seen().map(DeviceInfo::engine).orElse(""),
                    probe.seen().map(DeviceInfo::details).orElse(Map.of())));
        }
        entries.sort(Comparator.comparing(DeviceReport.Entry::usable).reversed());
        return new DeviceReport(entries);
    }

    /**
     * Devices that may be taken.
     *
     * @param devices usable ones, best first; at least one
     * @param passedOver those that cannot be used and why, for the log
     */
    public record Candidates(List<DeviceId> devices, List<String> passedOver) {}

    /**
     * Returns the devices among which to choose: all that are usable for {@code auto}, else the one that is named.
     *
     * @param device {@code auto}, {@code cpu}, {@code cuda:0}
     * @throws DeviceUnavailableException if there is none, with the reason and the remedy
     */
    public Candidates candidates(String device) {
        if (!device.equals("auto")) {
            return new Candidates(List.of(resolve(device)), List.of());
        }
        List<DeviceProbe> probes = probes();
        List<DeviceId> usable = probes.stream()
                .filter(probe -> probe.device().isPresent())
                .map(DeviceProbe::id)
                .toList();
        if (usable.isEmpty()) {
            throw noDevice(probes);
        }
        return new Candidates(usable, passedOver(probes));
    }

    /**
     * Plans for a card that need not be here.
     *
     * @throws DeviceUnavailableException if no backend serves such cards
     */
    public DevicePlanner planner(GpuCard card) {
        return providers.stream()
                .map(provider -> provider.planner(card))
                .flatMap(Optional::stream)
                .findFirst()
                .orElseThrow(() -> new DeviceUnavailableException(
                        "No backend on the class path knows cards like the " + card + ". Add io.embed4j:embed-cuda."));
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
                .orElseThrow(() -> noDevice(probes));
        String passedOver = String.join("; ", passedOver(probes));
        LOG.info(
                "Device auto is {} ({}){}",
                chosen.id(),
                chosen.device().orElseThrow().name(),
                passedOver.isEmpty() ? "" : "; not " + passedOver);
        return chosen.id();
    }

    private static DeviceUnavailableException noDevice(List<DeviceProbe> probes) {
        return new DeviceUnavailableException("No usable device was found. "
                + probes.stream()
                        .map(probe -> probe.id() + ": " + probe.problem() + " " + probe.remedy())
                        .collect(Collectors.joining("; "))
                + (probes.isEmpty() ? NO_BACKEND : ""));
    }

    private static List<String> passedOver(List<DeviceProbe> probes) {
        return probes.stream()
                .filter(probe -> probe.device().isEmpty())
                .map(probe -> probe.id() + ": " + probe.problem())
                .toList();
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
