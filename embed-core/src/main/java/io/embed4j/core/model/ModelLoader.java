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
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** From a model's name, as users write it, to its definition. */
public final class ModelLoader {
    private static final String EMBEDDED_SCHEME = "embedded:";

    /** transformers writes 1e30 into tokenizer_config.json for "no limit". */
    private static final double NO_LIMIT = 1e9;

    private ModelLoader() {}

    /** As {@link #load(String, DownloadListener)}, where nobody wants to hear of downloads. */
    public static ModelDefinition load(String model) {
        return load(model, DownloadListener.none());
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
        Path directory = directory(model);
        Path name = directory.toAbsolutePath().normalize().getFileName();
        return load(directory, name == null ? model : name.toString());
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

    private static Path directory(String model) {
        Path directory;
        try {
            directory = Path.of(model);
        } catch (InvalidPathException e) {
            throw new ModelFormatException(
                    HelpTopic.MODEL_NOT_FOUND, "The model \"" + model + "\" is not a path: " + e.getReason() + ".", e);
        }
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
        SentencePipeline pipeline = SentencePipeline.read(directory);
        JsonConfig config = JsonConfig.read(pipeline.transformerDirectory().resolve("config.json"));
        spec(pipeline, config, ModelFamilies.of(config));
        tokenizerFile(pipeline.transformerDirectory());
    }

    private static EncoderSpec spec(SentencePipeline pipeline, JsonConfig config, ModelFamily family) {
        try {
            return family.spec(config, pipeline.pooling(), pipeline.head());
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(config.source() + ": " + e.getMessage(), e);
        }
    }

    private static ModelDefinition load(Path directory, String name) {
        SentencePipeline pipeline = SentencePipeline.read(directory);
        Path transformer = pipeline.transformerDirectory();
        JsonConfig config = JsonConfig.read(transformer.resolve("config.json"));
        ModelFamily family = ModelFamilies.of(config);
        EncoderSpec spec = spec(pipeline, config, family);
        List<WeightFiles> head = new ArrayList<>();
        for (int i = 0; i < spec.head().size(); i++) {
            Path module = pipeline.headDirectories().get(i);
            head.add(
                    spec.head().get(i) instanceof HeadModule.Normalize
                            ? WeightFiles.none(module)
                            : WeightFiles.read(module));
        }
        return new ModelDefinition(
                name,
                config.stringValue("model_type"),
                spec,
                NamedWeights.of(family, spec, WeightFiles.read(transformer), head),
                tokenizerFile(transformer),
                maxTokens(pipeline, transformer, spec),
                pipeline.lowerCase(),
                pipeline.prompts(),
                pipeline.defaultPromptName(),
                pipeline.similarity(),
                Math.min(spec.outputSize(), pipeline.truncateDimension()));
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
