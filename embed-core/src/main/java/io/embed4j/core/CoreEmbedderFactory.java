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
import io.embed4j.IndexFit;
import io.embed4j.IndexOptions;
import io.embed4j.InstallationReport;
import io.embed4j.Precision;
import io.embed4j.VectorIndex;
import io.embed4j.VectorRows;
import io.embed4j.core.device.Backends;
import io.embed4j.core.device.OpenDevices;
import io.embed4j.core.doctor.Doctor;
import io.embed4j.core.file.VectorFile;
import io.embed4j.core.fit.GpuCards;
import io.embed4j.core.index.DefaultVectorIndex;
import io.embed4j.core.index.SavedIndex;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.model.ModelOutline;
import io.embed4j.core.pipeline.DefaultEmbedder;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.spec.DType;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexPlan;
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
    public VectorIndex index(int dimension, IndexOptions options) {
        OpenDevices.Lease lease = lease(options.device());
        try {
            return new DefaultVectorIndex(
                    lease.device().index(indexSpec(dimension, options)), options, lease.release());
        } catch (RuntimeException | Error e) {
            lease.close();
            throw e;
        }
    }

    @Override
    public VectorIndex loadIndex(Path directory, IndexOptions options) {
        SavedIndex saved = SavedIndex.open(directory);
        OpenDevices.Lease lease = lease(options.device());
        try {
            IndexShard shard = lease.device().index(indexSpec(saved.manifest().dimension(), options));
            try {
                return DefaultVectorIndex.load(saved, shard, options, lease.release());
            } catch (RuntimeException | Error e) {
                shard.close();
                throw e;
            }
        } catch (RuntimeException | Error e) {
            lease.close();
            throw e;
        }
    }

    @Override
    public int compactIndex(Path directory) {
        return SavedIndex.compact(directory);
    }

    @Override
    public IndexFit fitIndex(int dimension, int rows, IndexOptions options) {
        try (OpenDevices.Lease lease = lease(options.device())) {
            Device device = lease.device();
            IndexPlan plan = device.planIndex(indexSpec(dimension, options), rows);
            return new IndexFit(
                    rows,
                    dimension,
                    device.info().id(),
                    options.storage(),
                    plan.device().totalBytes(),
                    plan.hostBytes(),
                    device.memory().freeBytes(),
                    device.memory().totalBytes());
        }
    }

    private static IndexSpec indexSpec(int dimension, IndexOptions options) {
        DType storage = switch (options.storage()) {
            case FP16 -> DType.FP16;
            case BF16 -> DType.BF16;
            default -> DType.FP32;
        };
        return new IndexSpec(
                dimension, storage, options.exact() ? IndexSpec.Rescoring.EXACT : IndexSpec.Rescoring.NONE);
    }

    @Override
    public VectorRows openRows(Path file, String tensor) {
        return VectorFile.open(file, tensor);
    }

    private static OpenDevices.Lease lease(String device) {
        Backends backends = Backends.find();
        DeviceId id = backends.resolve(device);
        return OpenDevices.lease(backends.provider(id), id);
    }
}
