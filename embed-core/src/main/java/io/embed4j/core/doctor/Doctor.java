// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.doctor;

import io.embed4j.EmbedException;
import io.embed4j.Embedder;
import io.embed4j.EmbedderOptions;
import io.embed4j.HelpTopic;
import io.embed4j.InstallationReport;
import io.embed4j.InstallationReport.Check;
import io.embed4j.InstallationReport.Status;
import io.embed4j.Precision;
import io.embed4j.core.device.Backends;
import io.embed4j.core.device.OpenDevices;
import io.embed4j.core.hub.CacheSummary;
import io.embed4j.core.hub.HubSettings;
import io.embed4j.core.model.CacheDirectory;
import io.embed4j.core.model.EmbeddedModel;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.spi.DeviceProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Looks whether embed4j can work here. Each check stands alone: one that fails, in whatever way, does not keep the
 * others from being made. The last ones compute, on every usable device and in every precision that it offers, vectors
 * that are known: what a device gives is compared, not only that it gives something.
 */
public final class Doctor {
    private static final int OLDEST_JAVA = 17;
    private static final int PROBE_BYTES = 1 << 16;
    private static final String EMBEDDED_SCHEME = "embedded:";
    private static final String ANY_DEVICE = "auto";

    private final Backends backends;
    private final Function<EmbedderOptions, Embedder> open;
    private final Optional<KnownVectors> known;
    private final List<Check> checks = new ArrayList<>();

    /**
     * Prepares.
     *
     * @param backends what is on the class path
     * @param open loads models
     */
    public Doctor(Backends backends, Function<EmbedderOptions, Embedder> open) {
        this(backends, open, KnownVectors.find(defaultModel()));
    }

    /**
     * Prepares with known vectors of a test's own.
     */
    Doctor(Backends backends, Function<EmbedderOptions, Embedder> open, Optional<KnownVectors> known) {
        this.backends = backends;
        this.open = open;
        this.known = known;
    }

    /**
     * Makes all checks, once.
     *
     * @param device a device that must be usable, or {@code auto} for any
     * @return the report
     */
    public InstallationReport examine(String device) {
        checkJava(Runtime.version().feature());
        check("cache directory", Doctor::cacheDirectory);
        check("model cache", () -> CacheSummary.of(HubSettings.ofProcess()));
        check("native tokenizer", () -> {
            TextTokenizer.requireNative();
            return "loaded; two words give two tokens";
        });
        boolean modelIsThere = checkDefaultModel();
        List<DeviceProbe> usable = checkDevices(device);
        for (DeviceProbe probe : usable) {
            for (Precision precision : precisions(probe)) {
                checkVectors(probe.id().toString(), precision, modelIsThere);
            }
        }
        return new InstallationReport(checks);
    }

    void checkJava(int version) {
        String found = "Java " + Runtime.version() + " of " + System.getProperty("java.vendor") + "; heap of "
                + Runtime.getRuntime().maxMemory() / (1 << 20) + " MiB";
        if (version < OLDEST_JAVA) {
            failed("Java", found, "Use Java " + OLDEST_JAVA + " or newer.", null);
        } else {
            checks.add(new Check("Java", Status.OK, found, "", null));
        }
    }

    /** Writes a little, for a full disk is writable too. */
    private static String cacheDirectory() {
        Path directory = CacheDirectory.find();
        try {
            Path probe = Files.createTempFile(directory, "doctor", ".tmp");
            try {
                Files.write(probe, new byte[PROBE_BYTES]);
            } finally {
                Files.delete(probe);
            }
            return directory + ", writable; "
                    + gibibytes(Files.getFileStore(directory).getUsableSpace()) + " free";
        } catch (IOException e) {
            throw new EmbedException(
                    HelpTopic.CACHE_DIRECTORY,
                    directory + " cannot be written: " + e
                            + ". Make room, or set the system property embed4j.cache or the variable EMBED4J_CACHE to"
                            + " another directory.",
                    e);
        }
    }

    /** Returns whether there is a whole one. */
    private boolean checkDefaultModel() {
        String name = "default model";
        Optional<EmbeddedModel> model = EmbeddedModel.optional(defaultModel());
        if (model.isEmpty()) {
            checks.add(new Check(
                    name,
                    Status.NOTICE,
                    EmbedderOptions.DEFAULT_MODEL + " is not on the class path.",
                    "Add io.embed4j:embed-model-minilm, or name a model.",
                    HelpTopic.MODEL_NOT_FOUND));
            return false;
        }
        return check(name, () -> {
            Path directory = model.get().unpack();
            List<String> damaged = model.get().damagedFiles(directory);
            if (!damaged.isEmpty()) {
                throw new EmbedException(
                        HelpTopic.CACHE_DIRECTORY,
                        damaged + " in " + directory + " are not what was unpacked. Remove " + directory
                                + "; it is unpacked again.");
            }
            return model.get().name() + " in " + directory + ", unpacked; every hash is right";
        });
    }

    /** Returns the usable ones. */
    private List<DeviceProbe> checkDevices(String wanted) {
        List<DeviceProbe> probes = backends.probes();
        List<DeviceProbe> usable =
                probes.stream().filter(probe -> probe.device().isPresent()).toList();
        for (DeviceProbe probe : probes) {
            String id = probe.id().toString();
            probe.device()
                    .ifPresentOrElse(
                            device -> checks.add(new Check(
                                    "device " + id,
                                    Status.OK,
                                    device.name() + "; " + device.engine() + "; " + gibibytes(device.freeBytes())
                                            + " of " + gibibytes(device.totalBytes()) + " free",
                                    "",
                                    null)),
                            () -> checks.add(new Check(
                                    "device " + id,
                                    usable.isEmpty() || wanted.equals(id) ? Status.FAILED : Status.NOTICE,
                                    probe.problem(),
                                    probe.remedy(),
                                    HelpTopic.DEVICE_UNAVAILABLE)));
        }
        boolean known = probes.stream().anyMatch(probe -> probe.id().toString().equals(wanted));
        if (probes.isEmpty() || !(known || wanted.equals(ANY_DEVICE))) {
            check("device " + wanted, () -> backends.resolve(wanted).toString());
        }
        return usable;
    }

    private List<Precision> precisions(DeviceProbe probe) {
        List<Precision> found = new ArrayList<>();
        check("opening " + probe.id(), () -> {
            try (OpenDevices.Lease lease = OpenDevices.lease(backends.provider(probe.id()), probe.id())) {
                found.addAll(lease.device().precisions());
            }
            return "offers " + found;
        });
        return found;
    }

    private void checkVectors(String device, Precision precision, boolean modelIsThere) {
        String name = device + " in " + precision;
        Optional<Double> largest = known.flatMap(vectors -> vectors.largestError(precision));
        if (!modelIsThere || known.isEmpty() || largest.isEmpty()) {
            checks.add(new Check(
                    name, Status.NOTICE, "not computed: the default model's known vectors are not there.", "", null));
            return;
        }
        check(name, () -> {
            EmbedderOptions options =
                    EmbedderOptions.defaults().withDevice(device).withPrecision(precision);
            double error;
            try (Embedder embedder = open.apply(options)) {
                error = known.get().error(embedder.embed(known.get().texts()));
            }
            String result = String.format(Locale.ROOT, "error %.2g; up to %.2g is right", error, largest.get());
            if (!(error <= largest.get())) {
                throw new EmbedException(
                        "Vectors are wrong: " + result + ". Do not use this device in this precision, and please report"
                                + " it with the output of doctor --json.");
            }
            return known.get().texts().size() + " known vectors: " + result;
        });
    }

    /** Makes one check. Whatever it throws becomes its result, native libraries that do not load included. */
    private boolean check(String name, Supplier<String> examination) {
        try {
            checks.add(new Check(name, Status.OK, examination.get(), "", null));
            return true;
        } catch (EmbedException e) {
            // Our messages say what happened and, from the second sentence on, what would work.
            String message = String.valueOf(e.getMessage());
            int end = message.indexOf(". ");
            failed(
                    name,
                    end < 0 ? message : message.substring(0, end + 1),
                    end < 0 ? "" : message.substring(end + 2),
                    e.helpTopic());
        } catch (RuntimeException | LinkageError e) {
            failed(name, String.valueOf(e), "Run again with --verbose and report it.", HelpTopic.ENCODER_FAILED);
        }
        return false;
    }

    private void failed(String name, String detail, String remedy, @Nullable HelpTopic topic) {
        checks.add(new Check(name, Status.FAILED, detail, remedy, topic));
    }

    private static String defaultModel() {
        return EmbedderOptions.DEFAULT_MODEL.substring(EMBEDDED_SCHEME.length());
    }

    private static String gibibytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
    }
}
