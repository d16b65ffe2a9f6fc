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
import io.embed4j.HelpTopic;
import io.embed4j.InstallationReport;
import io.embed4j.InstallationReport.Check;
import io.embed4j.InstallationReport.Status;
import io.embed4j.VectorIndex;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

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
        return new FitReport(
                options.model(),
                "cpu",
                options.precision(),
                3L << 30,
                1L << 30,
                1L << 29,
                8L << 30,
                16L << 30,
                verdict,
                verdict == FitReport.Verdict.DOES_NOT_FIT ? 0 : 4096,
                verdict == FitReport.Verdict.FITS ? "" : "Use fp16.");
    }

    @Override
    public DeviceReport detectDevices() {
        return new DeviceReport(List.of(
                new DeviceReport.Entry("cpu", "Fake CPU", true, 16L << 30, 8L << 30, "", ""),
                new DeviceReport.Entry("cuda", "", false, 0, 0, "No driver found.", "Install driver 570 or newer.")));
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
    public VectorIndex index(int dimension, String device) {
        throw new UnsupportedOperationException("the command does not use it");
    }

    @Override
    public VectorIndex loadIndex(Path directory, String device) {
        throw new UnsupportedOperationException("The commands under test open no index.");
    }
}
