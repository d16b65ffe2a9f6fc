// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.ModelFormatException;
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
 * @param head what follows pooling
 * @param headDirectories where each head module's files lie
 * @param maxTokens {@code max_seq_length}, if the files give one
 * @param lowerCase whether texts are lower-cased before the tokenizer's own normalizer
 * @param prompts prompts by name
 * @param defaultPromptName the prompt used when a call names none
 */
record SentencePipeline(
        Path transformerDirectory,
        PoolingSpec pooling,
        List<HeadModule> head,
        List<Path> headDirectories,
        OptionalInt maxTokens,
        boolean lowerCase,
        Map<String, String> prompts,
        @Nullable String defaultPromptName) {

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
                    case "Pooling" -> pooling = pooling(JsonConfig.read(path.resolve("config.json")));
                    default -> {
                        head.add(headModule(modules, type, path));
                        headDirectories.add(path);
                    }
                }
            }
        }
        if (pooling == null) {
            LOG.warn("{} does not say how to pool; taking the mean over tokens, not normalized.", directory);
            pooling = PoolingSpec.of(PoolingMode.MEAN);
        }
        Path sentenceConfig = directory.resolve("config_sentence_transformers.json");
        Map<String, String> prompts = Map.of();
        String defaultPromptName = null;
        if (Files.exists(sentenceConfig)) {
            JsonConfig config = JsonConfig.read(sentenceConfig);
            prompts =
                    config.optionalObject("prompts").map(JsonConfig::stringMap).orElse(Map.of());
            defaultPromptName = config.optionalString("default_prompt_name").orElse(null);
        }
        Optional<JsonConfig> transformerConfig = transformerConfig(transformer);
        return new SentencePipeline(
                transformer,
                pooling,
                head,
                headDirectories,
                transformerConfig
                        .filter(config -> config.has("max_seq_length"))
                        .map(config -> OptionalInt.of(config.intValue("max_seq_length")))
                        .orElse(OptionalInt.empty()),
                transformerConfig
                        .map(config -> config.booleanValue("do_lower_case", false))
                        .orElse(false),
                prompts,
                defaultPromptName);
    }

    private static HeadModule headModule(Path modules, String type, Path path) {
        return switch (type.substring(type.lastIndexOf('.') + 1)) {
            case "Normalize" -> new HeadModule.Normalize();
            case "Dense" -> dense(JsonConfig.read(path.resolve("config.json")));
            case "LayerNorm" ->
                new HeadModule.LayerNorm(
                        JsonConfig.read(path.resolve("config.json")).intValue("dimension"),
                        NormSpec.layerNorm(TORCH_EPSILON, true));
            default ->
                throw new UnsupportedModelException(modules + ": the module type \"" + type
                        + "\" is not supported. Known are Transformer, Pooling, Dense, LayerNorm and Normalize.");
        };
    }

    private static HeadModule.Dense dense(JsonConfig config) {
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
