// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import com.google.gson.JsonObject;
import io.embed4j.ModelFormatException;
import io.embed4j.SimilarityFunction;
import io.embed4j.TextRole;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.core.source.ModelFiles;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What sentence-transformers' files say of a model: modules.json names the modules, each with a directory of its own.
 * A directory without modules.json is a plain transformers model; like sentence-transformers, embed4j then takes the
 * mean over tokens and does not normalize.
 *
 * @param transformerDirectory where config.json, weights and tokenizer lie
 * @param pooling from token vectors to one vector
 * @param poolingIsAssumed whether no file says so
 * @param head what follows pooling
 * @param headDirectories where each head module's files lie
 * @param maxTokens {@code max_seq_length}, if the files give one
 * @param lowerCase whether texts are lower-cased before the tokenizer's own normalizer
 * @param prompts prompts by name
 * @param defaultPromptName the prompt used when a call names none
 * @param similarity how vectors want to be compared
 * @param truncateDimension how many leading numbers of each vector are kept; MAX_VALUE for all
 */
record SentencePipeline(
        Path transformerDirectory,
        PoolingSpec pooling,
        boolean poolingIsAssumed,
        List<HeadModule> head,
        List<Path> headDirectories,
        OptionalInt maxTokens,
        boolean lowerCase,
        Map<String, String> prompts,
        @Nullable String defaultPromptName,
        SimilarityFunction similarity,
        int truncateDimension) {

    private static final String SENTENCE_VECTORS = "sentence_embedding";

    private static final Logger LOG = LoggerFactory.getLogger(SentencePipeline.class);

    /** What torch's LayerNorm adds to the variance unless it is told otherwise; the files do not say. */
    private static final double TORCH_EPSILON = 1e-5;

    /** The switches of layouts before 6.x, in the order in which sentence-transformers concatenates. */
    private static final List<Map.Entry<String, String>> POOLING_SWITCHES = List.of(
            Map.entry("pooling_mode_cls_token", "cls"),
            Map.entry("pooling_mode_max_tokens", "max"),
            Map.entry("pooling_mode_mean_tokens", "mean"),
            Map.entry("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
            Map.entry("pooling_mode_weightedmean_tokens", "weightedmean"),
            Map.entry("pooling_mode_lasttoken", "lasttoken"));

    static SentencePipeline read(Path directory) {
        Path transformer = directory;
        PoolingSpec pooling = null;
        List<HeadModule> head = new ArrayList<>();
        List<Path> headDirectories = new ArrayList<>();
        Path modules = directory.resolve("modules.json");
        if (Files.exists(modules)) {
            for (JsonConfig module : JsonConfig.readArray(modules)) {
                String type = module.stringValue("type");
                Path path = inside(directory, module.stringValue("path"), modules);
                switch (type.substring(type.lastIndexOf('.') + 1)) {
                    case "Transformer" -> transformer = path;
                    case "Dropout" -> LOG.debug("{}: Dropout is for training only.", modules);
                    case "Pooling" -> pooling = pooling(JsonConfig.read(path.resolve("config.json")));
                    default -> {
                        head.add(headModule(modules, type, path));
                        headDirectories.add(path);
                    }
                }
            }
        }
        if (pooling == null && Files.exists(modules)) {
            throw new UnsupportedModelException(
                    modules + ": there is no Pooling among the modules, so this is no model that makes one vector of a"
                            + " text. Models of several vectors (ColBERT) or of sparse ones are not run.");
        }
        Path sentenceConfig = directory.resolve("config_sentence_transformers.json");
        JsonConfig config = Files.exists(sentenceConfig)
                ? JsonConfig.read(sentenceConfig)
                : new JsonConfig(sentenceConfig.toString(), new JsonObject());
        Map<String, String> prompts = prompts(config);
        Optional<JsonConfig> transformerConfig = transformerConfig(transformer);
        transformerConfig.ifPresent(found -> require(found, "transformer_task", "feature-extraction"));
        return new SentencePipeline(
                transformer,
                pooling == null ? PoolingSpec.of(PoolingMode.MEAN) : pooling,
                pooling == null,
                head,
                headDirectories,
                transformerConfig
                        .filter(found -> found.has("max_seq_length"))
                        .map(found -> OptionalInt.of(found.intValue("max_seq_length")))
                        .orElse(OptionalInt.empty()),
                transformerConfig
                        .map(found -> found.booleanValue("do_lower_case", false))
                        .orElse(false),
                prompts,
                defaultPromptName(config, prompts),
                similarity(config),
                config.has("truncate_dim")
                        ? config.intBetween("truncate_dim", 1, Integer.MAX_VALUE)
                        : Integer.MAX_VALUE);
    }

    /** sentence-transformers knows a prompt for each role in every model. */
    private static Map<String, String> prompts(JsonConfig config) {
        Map<String, String> prompts = new TreeMap<>();
        for (TextRole role : TextRole.values()) {
            prompts.put(role.promptName(), "");
        }
        config.optionalObject("prompts")
                .ifPresent(found -> found.json()
                        .keySet()
                        .forEach(name ->
                                prompts.put(name, found.optionalString(name).orElse(""))));
        return prompts;
    }

    private static @Nullable String defaultPromptName(JsonConfig config, Map<String, String> prompts) {
        Optional<String> name = config.optionalString("default_prompt_name");
        if (name.isPresent() && !prompts.containsKey(name.get())) {
            throw new ModelFormatException(config.source() + ": \"default_prompt_name\" is \"" + name.get()
                    + "\", but the prompts are " + prompts.keySet() + ".");
        }
        return name.orElse(null);
    }

    private static SimilarityFunction similarity(JsonConfig config) {
        try {
            return config.optionalString("similarity_fn_name")
                    .map(SimilarityFunction::parse)
                    .orElse(SimilarityFunction.COSINE);
        } catch (IllegalArgumentException e) {
            throw new UnsupportedModelException(config.source() + ": \"similarity_fn_name\": " + e.getMessage());
        }
    }

    /** Refuses a setting that is there and has another value than the one that is honoured. */
    private static void require(JsonConfig config, String key, String value) {
        String found = config.optionalString(key).orElse(value);
        if (!found.equals(value)) {
            throw new UnsupportedModelException(config.source() + ": \"" + key + "\": \"" + found
                    + "\" is not supported; known is \"" + value + "\".");
        }
    }

    private static HeadModule headModule(Path modules, String type, Path path) {
        return switch (type.substring(type.lastIndexOf('.') + 1)) {
            case "Normalize" -> normalize(path.resolve("config.json"));
            case "Dense" -> dense(JsonConfig.read(path.resolve("config.json")));
            case "LayerNorm" ->
                new HeadModule.LayerNorm(
                        JsonConfig.read(path.resolve("config.json")).intValue("dimension"),
                        NormSpec.layerNorm(TORCH_EPSILON, true));
            default ->
                throw new UnsupportedModelException(
                        modules + ": the module type \"" + type
                                + "\" is not supported. Known are Transformer, Pooling, Dense, LayerNorm, Dropout and Normalize.");
        };
    }

    /** Most have no configuration. */
    private static HeadModule.Normalize normalize(Path file) {
        if (Files.exists(file)) {
            requireSentenceVectors(JsonConfig.read(file));
        }
        return new HeadModule.Normalize();
    }

    /** A module may work on token vectors instead, for models of several vectors a text. */
    private static void requireSentenceVectors(JsonConfig config) {
        require(config, "module_input_name", SENTENCE_VECTORS);
        require(config, "module_output_name", SENTENCE_VECTORS);
    }

    private static HeadModule.Dense dense(JsonConfig config) {
        requireSentenceVectors(config);
        if (config.booleanValue("use_residual", false)) {
            throw new UnsupportedModelException(config.source() + ": \"use_residual\": true is not supported.");
        }
        return new HeadModule.Dense(
                config.intValue("in_features"),
                config.intValue("out_features"),
                config.booleanValue("bias", true),
                TorchActivations.read(config, "activation_function"));
    }

    private static Path inside(Path directory, String relative, Path file) {
        Path root = directory.toAbsolutePath().normalize();
        Path path;
        try {
            path = root.resolve(relative).normalize();
        } catch (InvalidPathException e) {
            throw new ModelFormatException(
                    file + ": the module path \"" + relative + "\" is not a path: " + e.getReason() + ".", e);
        }
        if (!path.startsWith(root)) {
            throw new UnsupportedModelException(
                    file + ": the module path \"" + relative + "\" leaves the model's directory.");
        }
        return path;
    }

    /** sentence_bert_config.json, or the name that a version long ago gave it. */
    private static Optional<JsonConfig> transformerConfig(Path transformer) {
        return ModelFiles.TRANSFORMER_CONFIGS.stream()
                .map(transformer::resolve)
                .filter(Files::exists)
                .findFirst()
                .map(JsonConfig::read);
    }

    private static PoolingSpec pooling(JsonConfig config) {
        List<String> names = config.strings("pooling_mode");
        if (names.isEmpty()) {
            names = POOLING_SWITCHES.stream()
                    .filter(entry -> config.booleanValue(entry.getKey(), false))
                    .map(Map.Entry::getValue)
                    .toList();
        }
        if (names.isEmpty()) {
            throw new UnsupportedModelException(config.source() + " switches no pooling mode on.");
        }
        List<PoolingMode> modes =
                names.stream().map(name -> poolingMode(config, name)).toList();
        return new PoolingSpec(modes, config.booleanValue("include_prompt", true));
    }

    private static PoolingMode poolingMode(JsonConfig config, String name) {
        return switch (name) {
            case "cls" -> PoolingMode.CLS;
            case "mean" -> PoolingMode.MEAN;
            case "max" -> PoolingMode.MAX;
            case "mean_sqrt_len_tokens" -> PoolingMode.MEAN_SQRT_LENGTH;
            case "weightedmean" -> PoolingMode.WEIGHTED_MEAN;
            case "lasttoken" -> PoolingMode.LAST_TOKEN;
            default ->
                throw new UnsupportedModelException(config.source() + ": \"pooling_mode\": \"" + name
                        + "\" is unknown. Known are cls, mean, max, mean_sqrt_len_tokens, weightedmean, lasttoken.");
        };
    }
}
