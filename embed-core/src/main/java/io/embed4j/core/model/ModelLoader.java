// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.DownloadListener;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.family.ModelFamilies;
import io.embed4j.core.family.ModelFamily;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.core.hub.HubModel;
import io.embed4j.core.hub.HubName;
import io.embed4j.core.hub.HubSettings;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spi.WeightTypes;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** From a model's name, as users write it, to its definition. */
public final class ModelLoader {
    private static final Logger LOG = LoggerFactory.getLogger(ModelLoader.class);

    private static final String EMBEDDED_SCHEME = "embedded:";
    private static final String CONFIG = "config.json";

    /** transformers writes 1e30 into tokenizer_config.json for "no limit". */
    private static final double NO_LIMIT = 1e9;

    private ModelLoader() {}

    /** As {@link #load(String, DownloadListener)}, where nobody wants to hear of downloads. */
    public static ModelDefinition load(String model) {
        return load(model, DownloadListener.NONE);
    }

    /**
     * Finds and checks a model. Weights are located, not read.
     *
     * @param model a directory in Hugging Face layout, {@code hf:ORG/NAME}, {@code classpath:FOLDER} or
     *     {@code embedded:NAME}
     * @param downloads hears of what has to be downloaded
     * @throws io.embed4j.ModelDownloadException if something has to be downloaded and cannot
     * @throws ModelFormatException if files are missing, damaged or contradictory
     * @throws io.embed4j.UnsupportedModelException if the model cannot be honoured
     */
    public static ModelDefinition load(String model, DownloadListener downloads) {
        if (model.startsWith(HubName.SCHEME)) {
            HubName name = HubName.parse(model);
            HubModel hub = new HubModel(name, HubSettings.ofProcess());
            return load(hub.whole(ModelLoader::check, downloads), name.repository());
        }
        if (model.startsWith(ClasspathModel.SCHEME)) {
            return load(ClasspathModel.unpack(model), model.substring(ClasspathModel.SCHEME.length()));
        }
        if (model.startsWith(EMBEDDED_SCHEME)) {
            EmbeddedModel embedded = EmbeddedModel.find(model.substring(EMBEDDED_SCHEME.length()));
            return load(embedded.unpack(), embedded.name());
        }
        Path directory = directory(model, path(model));
        return load(directory, name(model, directory));
    }

    /**
     * Finds what a model needs memory for. Its weights need not be there: config.json is enough, and what lies beside it
     * counts. Of a model on the Hub only its configuration and tokenizer come into the cache.
     *
     * @param model as for {@link #load}, or the path of a config.json
     * @throws io.embed4j.ModelDownloadException if something has to be downloaded and cannot
     * @throws ModelFormatException if files are missing, damaged or contradictory
     * @throws io.embed4j.UnsupportedModelException if the model cannot be honoured
     */
    public static ModelOutline outline(String model) {
        if (model.startsWith(HubName.SCHEME)) {
            HubName name = HubName.parse(model);
            HubModel hub = new HubModel(name, HubSettings.ofProcess());
            return outline(hub.configuration(DownloadListener.NONE), name.repository());
        }
        if (model.startsWith(EMBEDDED_SCHEME) || model.startsWith(ClasspathModel.SCHEME)) {
            return load(model).outline();
        }
        Path path = path(model);
        boolean isConfig = path.endsWith(CONFIG) && Files.isRegularFile(path);
        Path directory = isConfig ? Objects.requireNonNull(path.toAbsolutePath().getParent()) : directory(model, path);
        return outline(directory, name(model, directory));
    }

    private static ModelOutline outline(Path directory, String name) {
        Architecture found = Architecture.read(directory);
        return new ModelOutline(
                name,
                found.spec(),
                WeightFiles.isIn(found.pipeline().transformerDirectory())
                        ? found.weights().types()
                        : WeightTypes.all(declaredType(found.config())),
                found.maxTokens());
    }

    /** What config.json says of the storage; fp32, the largest in use, where it does not or says something else. */
    private static DType declaredType(JsonConfig config) {
        String key = config.has("dtype") ? "dtype" : "torch_dtype";
        return switch (config.has(key) ? config.stringValue(key) : "") {
            case "float16" -> DType.FP16;
            case "bfloat16" -> DType.BF16;
            default -> DType.FP32;
        };
    }

    private static String name(String model, Path directory) {
        Path name = directory.toAbsolutePath().normalize().getFileName();
        return name == null ? model : name.toString();
    }

    /**
     * Brings what a revision on the Hub means now into the cache.
     *
     * @param model {@code hf:ORG/NAME} or {@code hf:ORG/NAME@REVISION}
     * @return the model's directory
     */
    public static Path download(String model, DownloadListener downloads) {
        if (!model.startsWith(HubName.SCHEME)) {
            throw new IllegalArgumentException("\"" + model + "\" cannot be downloaded. Write hf:ORG/NAME.");
        }
        return new HubModel(HubName.parse(model), HubSettings.ofProcess()).newest(ModelLoader::check, downloads);
    }

    private static Path path(String model) {
        try {
            return Path.of(model);
        } catch (InvalidPathException e) {
            throw new ModelFormatException(
                    HelpTopic.MODEL_NOT_FOUND, "The model \"" + model + "\" is not a path: " + e.getReason() + ".", e);
        }
    }

    private static Path directory(String model, Path directory) {
        if (!Files.isDirectory(directory)) {
            throw new ModelFormatException(
                    HelpTopic.MODEL_NOT_FOUND,
                    "The model \"" + model + "\" is not a directory. Give a directory with "
                            + "config.json, tokenizer.json and model.safetensors, or embedded:all-minilm-l6-v2.");
        }
        return directory;
    }

    /** Looks at all but the weights. */
    private static void check(Path directory) {
        Architecture found = Architecture.read(directory);
        tokenizerFile(found.pipeline().transformerDirectory());
    }

    private static ModelDefinition load(Path directory, String name) {
        Architecture found = Architecture.read(directory);
        SentencePipeline pipeline = found.pipeline();
        if (pipeline.poolingIsAssumed()) {
            LOG.warn("{} does not say how to pool; taking the mean over tokens, not normalized.", directory);
        }
        return new ModelDefinition(
                name,
                found.config().stringValue("model_type"),
                found.spec(),
                found.weights(),
                tokenizerFile(pipeline.transformerDirectory()),
                found.maxTokens(),
                pipeline.lowerCase(),
                pipeline.prompts(),
                pipeline.defaultPromptName(),
                pipeline.similarity(),
                Math.min(found.spec().outputSize(), pipeline.truncateDimension()));
    }

    /**
     * What the JSON files of a directory say.
     *
     * @param pipeline sentence-transformers' files
     * @param config config.json
     * @param family who reads it
     * @param spec what it says
     */
    private record Architecture(SentencePipeline pipeline, JsonConfig config, ModelFamily family, EncoderSpec spec) {

        static Architecture read(Path directory) {
            SentencePipeline pipeline = SentencePipeline.read(directory);
            JsonConfig config = JsonConfig.read(pipeline.transformerDirectory().resolve(CONFIG));
            ModelFamily family = ModelFamilies.of(config);
            try {
                EncoderSpec spec = ModelFamilies.spec(config, pipeline.pooling(), pipeline.head());
                return new Architecture(pipeline, config, family, spec);
            } catch (IllegalArgumentException e) {
                throw new ModelFormatException(config.source() + ": " + e.getMessage(), e);
            }
        }

        /** Finds every weight and checks its shape. */
        NamedWeights weights() {
            List<WeightFiles> head = new ArrayList<>();
            for (int i = 0; i < spec.head().size(); i++) {
                Path module = pipeline.headDirectories().get(i);
                head.add(
                        spec.head().get(i) instanceof HeadModule.Normalize
                                ? WeightFiles.none(module)
                                : WeightFiles.read(module));
            }
            return NamedWeights.of(family, spec, WeightFiles.read(pipeline.transformerDirectory()), head);
        }

        int maxTokens() {
            return ModelLoader.maxTokens(pipeline, pipeline.transformerDirectory(), spec);
        }
    }

    private static Path tokenizerFile(Path directory) {
        Path file = directory.resolve("tokenizer.json");
        if (!Files.exists(file)) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER,
                    file + " is missing. Load the model's tokenizer in Python as a fast tokenizer"
                            + " and save it: AutoTokenizer.from_pretrained(...).save_pretrained(...).");
        }
        return file;
    }

    /** Explicit {@code max_seq_length}, else the tokenizer's {@code model_max_length}; never more than positions. */
    private static int maxTokens(SentencePipeline pipeline, Path directory, EncoderSpec spec) {
        int usable = spec.embedding().positions().usablePositions();
        if (pipeline.maxTokens().isPresent()) {
            int explicit = pipeline.maxTokens().getAsInt();
            if (explicit < 1) {
                throw new ModelFormatException(
                        directory + ": max_seq_length must be positive, found " + explicit + ".");
            }
            return Math.min(explicit, usable);
        }
        Path file = directory.resolve("tokenizer_config.json");
        double limit = Files.exists(file) ? JsonConfig.read(file).doubleValue("model_max_length", NO_LIMIT) : NO_LIMIT;
        if (limit < 1) {
            throw new ModelFormatException(file + ": model_max_length must be positive, found " + limit + ".");
        }
        return (int) Math.min(limit, usable);
    }
}
