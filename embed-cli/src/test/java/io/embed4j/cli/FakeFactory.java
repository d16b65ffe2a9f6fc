// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.DeviceReport;
import io.embed4j.DownloadListener;
import io.embed4j.DownloadProgress;
import io.embed4j.EmbedException;
import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.FitReport;
import io.embed4j.FitTable;
import io.embed4j.GpuCard;
import io.embed4j.HelpTopic;
import io.embed4j.IndexFit;
import io.embed4j.IndexOptions;
import io.embed4j.InstallationReport;
import io.embed4j.InstallationReport.Check;
import io.embed4j.InstallationReport.Status;
import io.embed4j.Precision;
import io.embed4j.VectorIndex;
import io.embed4j.VectorRows;
import io.embed4j.spec.DType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Makes {@link FakeEmbedder}s and remembers what was asked for. */
final class FakeFactory implements EmbedderFactory {
    static final String MISSING_MODEL = "/no/such/model";

    /** Options of every embedder that was opened. */
    final List<EmbedderOptions> opened = new ArrayList<>();

    FitReport.Verdict verdict = FitReport.Verdict.FITS;

    @Override
    public Embedder open(EmbedderOptions options, DownloadListener downloads) {
        opened.add(options);
        if (options.model().equals(MISSING_MODEL)) {
            throw new EmbedException(
                    HelpTopic.MODEL_NOT_FOUND,
                    "No model at " + MISSING_MODEL + ".\n  Name a directory with a config.json.");
        }
        if (options.device().equals("cuda:0")) {
            throw new IllegalStateException("a mistake of ours");
        }
        return new FakeEmbedder(options);
    }

    @Override
    public Path download(String model, DownloadListener downloads) {
        downloads.onProgress(new DownloadProgress(model, 1, 2, 30_000_000, 90_000_000));
        return Path.of("/cache/" + model.replace("hf:", ""));
    }

    @Override
    public Embedder shared(EmbedderOptions options) {
        return open(options);
    }

    @Override
    public FitReport fit(EmbedderOptions options) {
        return report(options.model(), "cpu", options.precision());
    }

    private FitReport report(String model, String device, Precision precision) {
        boolean planned = precision == Precision.INT4;
        return new FitReport(
                model,
                device,
                precision,
                planned,
                1024,
                new FitReport.Needs(3L << 30, 1L << 30, 1L << 29, 1L << 20, 1L << 25, 1L << 28),
                8L << 30,
                16L << 30,
                verdict,
                new FitReport.Room(
                        verdict == FitReport.Verdict.DOES_NOT_FIT ? 0 : 4096,
                        512,
                        new TreeMap<>(Map.of(DType.FP32, 2_345_678L, DType.FP16, 4_691_357L, DType.BF16, 4_691_357L))),
                planned ? null : new FitReport.Throughput(12_345, 128, "a formula"),
                verdict == FitReport.Verdict.FITS ? "" : "Use fp16.");
    }

    @Override
    public FitTable fitAll(EmbedderOptions options, List<GpuCard> cards) {
        List<String> devices = cards.isEmpty()
                ? List.of("cpu")
                : cards.stream().map(GpuCard::name).toList();
        return new FitTable(
                devices.stream()
                        .flatMap(device -> Stream.of(Precision.FP16, Precision.FP32, Precision.INT4)
                                .map(precision -> report(options.model(), device, precision)))
                        .toList(),
                List.of("cuda:0: No driver found."));
    }

    @Override
    public GpuCard gpuCard(String name) {
        if (name.equals("nothing")) {
            throw new IllegalArgumentException("The GPU \"nothing\" is not in the table.");
        }
        return new GpuCard(name, 12_000_000_000L, null, null, "8.6", "made up");
    }

    @Override
    public List<GpuCard> gpuCards() {
        return List.of(gpuCard("RTX 3060 12GB"));
    }

    @Override
    public DeviceReport detectDevices() {
        return new DeviceReport(List.of(
                new DeviceReport.Entry(
                        "cpu",
                        "Fake CPU",
                        true,
                        16L << 30,
                        8L << 30,
                        "",
                        "",
                        "an engine",
                        Map.of("instructionSets", "avx2 fma")),
                new DeviceReport.Entry(
                        "cuda", "", false, 0, 0, "No driver found.", "Install driver 570 or newer.", "", Map.of())));
    }

    @Override
    public InstallationReport checkInstallation(String device) {
        boolean wanted = device.equals("cuda");
        return new InstallationReport(List.of(
                new Check("Java", Status.OK, "Java 17", "", null),
                new Check(
                        "device cuda",
                        wanted ? Status.FAILED : Status.NOTICE,
                        "No driver found.",
                        "Install driver 570 or newer.",
                        HelpTopic.DEVICE_UNAVAILABLE)));
    }

    @Override
    public VectorIndex index(int dimension, IndexOptions options) {
        throw new UnsupportedOperationException("The commands under test make no index.");
    }

    @Override
    public VectorIndex loadIndex(Path directory, IndexOptions options) {
        throw new UnsupportedOperationException("The commands under test open no index.");
    }

    @Override
    public int compactIndex(Path directory) {
        throw new UnsupportedOperationException();
    }

    @Override
    public IndexFit fitIndex(int dimension, int rows, IndexOptions options) {
        throw new UnsupportedOperationException("The commands under test plan no index.");
    }

    @Override
    public VectorRows openRows(Path file, String tensor) {
        throw new UnsupportedOperationException("The commands under test read no vectors.");
    }
}
