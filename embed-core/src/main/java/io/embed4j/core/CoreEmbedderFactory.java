// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core;

import io.embed4j.DeviceReport;
import io.embed4j.DownloadListener;
import io.embed4j.Embedder;
import io.embed4j.EmbedderFactory;
import io.embed4j.EmbedderOptions;
import io.embed4j.FitReport;
import io.embed4j.FitTable;
import io.embed4j.GpuCard;
import io.embed4j.InstallationReport;
import io.embed4j.Precision;
import io.embed4j.VectorIndex;
import io.embed4j.core.device.Backends;
import io.embed4j.core.device.OpenDevices;
import io.embed4j.core.doctor.Doctor;
import io.embed4j.core.fit.GpuCards;
import io.embed4j.core.index.CosineIndex;
import io.embed4j.core.index.IndexFile;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.model.ModelOutline;
import io.embed4j.core.pipeline.DefaultEmbedder;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import java.nio.file.Path;
import java.util.List;

/** What {@link Embedder#builder()} finds: models, devices and the pipeline put together. */
public final class CoreEmbedderFactory implements EmbedderFactory {
    private static final SharedEmbedders SHARED = new SharedEmbedders();

    /** For {@link java.util.ServiceLoader}. */
    public CoreEmbedderFactory() {}

    @Override
    public Embedder open(EmbedderOptions options, DownloadListener downloads) {
        ModelDefinition model = ModelLoader.load(options.model(), downloads);
        ChosenDevice chosen =
                ChosenDevice.choose(Backends.find(), model.outline(), options).requireFitting();
        TextTokenizer tokenizer = null;
        try {
            Device device = chosen.lease().device();
            EncoderOptions encoderOptions = chosen.options();
            tokenizer = TextTokenizer.load(model.tokenizerFile(), model.maxTokens(), model.lowerCase());
            if (encoderOptions.precision() == Precision.INT8) {
                encoderOptions = encoderOptions.withSampleRows(
                        tokenizer.sampleRows(model.spec().embedding().vocabularySize()));
            }
            Encoder encoder = device.load(model.spec(), model.weights(), encoderOptions);
            return new DefaultEmbedder(
                    model,
                    device.info(),
                    encoderOptions.precision(),
                    tokenizer,
                    encoder,
                    chosen.lease().release());
        } catch (RuntimeException | Error e) {
            if (tokenizer != null) {
                tokenizer.close();
            }
            chosen.close();
            throw e;
        }
    }

    @Override
    public Path download(String model, DownloadListener downloads) {
        return ModelLoader.download(model, downloads);
    }

    @Override
    public Embedder shared(EmbedderOptions options) {
        return SHARED.handle(options, this::open);
    }

    @Override
    public FitReport fit(EmbedderOptions options) {
        ModelOutline model = ModelLoader.outline(options.model());
        try (ChosenDevice chosen = ChosenDevice.choose(Backends.find(), model, options)) {
            return chosen.report();
        }
    }

    @Override
    public FitTable fitAll(EmbedderOptions options, List<GpuCard> cards) {
        FitSurvey survey = new FitSurvey(ModelLoader.outline(options.model()), options.maxBatchTokens());
        return cards.isEmpty()
                ? survey.ofDevices(Backends.find(), options.device())
                : survey.ofCards(Backends.find(), cards);
    }

    @Override
    public GpuCard gpuCard(String name) {
        return GpuCards.named(name);
    }

    @Override
    public List<GpuCard> gpuCards() {
        return GpuCards.all();
    }

    @Override
    public DeviceReport detectDevices() {
        return Backends.find().report();
    }

    @Override
    public InstallationReport checkInstallation(String device) {
        return new Doctor(Backends.find(), this::open).examine(device);
    }

    @Override
    public VectorIndex index(int dimension, String device) {
        OpenDevices.Lease lease = lease(device);
        try {
            IndexSpec spec = IndexSpec.exact(dimension);
            return new CosineIndex(dimension, lease.device().index(spec), lease.release());
        } catch (RuntimeException e) {
            lease.close();
            throw e;
        }
    }

    @Override
    public VectorIndex loadIndex(Path directory, String device) {
        IndexFile file = IndexFile.open(directory);
        OpenDevices.Lease lease = lease(device);
        try {
            IndexShard shard = lease.device().index(IndexSpec.exact(file.dimension()));
            file.copyTo(shard);
            return new CosineIndex(file.dimension(), shard, lease.release());
        } catch (RuntimeException e) {
            lease.close();
            throw e;
        }
    }

    private static OpenDevices.Lease lease(String device) {
        Backends backends = Backends.find();
        DeviceId id = backends.resolve(device);
        return OpenDevices.lease(backends.provider(id), id);
    }
}
