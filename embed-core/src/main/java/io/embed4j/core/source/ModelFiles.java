// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.source;

import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.JsonConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The files that embed4j reads of a model, and no others: a repository often holds the same weights four times, for
 * other libraries. What a model needs is found out on the way: modules.json names the folders, the index of sharded
 * weights names the shards.
 *
 * <p>Files that a model lacks are left out without a word; whoever reads the directory says what it misses.
 */
public final class ModelFiles {
    /** sentence-transformers' settings of the transformer under the names of all its versions, the newest first. */
    public static final List<String> TRANSFORMER_CONFIGS = List.of(
            "sentence_bert_config.json",
            "sentence_roberta_config.json",
            "sentence_distilbert_config.json",
            "sentence_camembert_config.json",
            "sentence_albert_config.json",
            "sentence_xlm-roberta_config.json",
            "sentence_xlnet_config.json");

    private static final String MODULES = "modules.json";
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    /** The first that is there is read. */
    private static final List<String> WEIGHTS = List.of(SINGLE, INDEX, "model.onnx", "onnx/model.onnx");

    /** Where an ONNX file of more than 2 GiB keeps its tensors. */
    private static final List<String> ONNX_DATA = List.of("_data", ".data");

    private static final List<String> PICKLES = List.of("pytorch_model.bin", "pytorch_model.bin.index.json");

    private ModelFiles() {}

    /**
     * Brings all that says what the model is, and its tokenizer: everything but the weights.
     *
     * @throws ModelFormatException if modules.json is damaged
     */
    public static void bringConfiguration(FileStore store) {
        store.bring(those(store, List.of(MODULES, "config_sentence_transformers.json")));
        Modules modules = Modules.read(store);
        List<String> files = new ArrayList<>();
        String transformer = modules.transformer();
        files.addAll(those(
                store,
                Stream.of("config.json", "tokenizer.json", "tokenizer_config.json")
                        .map(name -> transformer + name)
                        .toList()));
        first(store, transformer, TRANSFORMER_CONFIGS).ifPresent(files::add);
        for (String folder : modules.configured()) {
            files.addAll(those(store, List.of(folder + "config.json")));
        }
        // Most have none, and before version 6 sentence-transformers did not ask for one, or note that there is none.
        modules.plain().stream()
                .map(folder -> folder + "config.json")
                .filter(file -> store.canTell(file) && store.has(file))
                .forEach(files::add);
        for (String folder : modules.weighted()) {
            // Beside weights in one file nobody asks for an index, or notes that there is none.
            if (!Files.exists(store.directory().resolve(folder + SINGLE))) {
                files.addAll(those(store, List.of(folder + INDEX)));
            }
        }
        store.bring(files);
    }

    /**
     * Brings the weights, behind the configuration.
     *
     * @throws ModelFormatException if there are only such that can run code
     */
    public static void bringWeights(FileStore store) {
        Set<String> files = new LinkedHashSet<>();
        for (String folder : Modules.read(store).weighted()) {
            Optional<String> weights = first(store, folder, WEIGHTS);
            if (weights.isEmpty()) {
                refusePickles(store, folder);
            } else if (weights.get().endsWith(INDEX)) {
                shards(store, weights.get()).forEach(shard -> files.add(folder + shard));
            } else {
                files.add(weights.get());
                if (weights.get().endsWith(".onnx")) {
                    ONNX_DATA.stream()
                            .map(ending -> weights.get() + ending)
                            .filter(store::has)
                            .forEach(files::add);
                }
            }
        }
        store.bring(files);
    }

    private static void refusePickles(FileStore store, String folder) {
        for (String pickle : PICKLES) {
            if (store.has(folder + pickle)) {
                throw new ModelFormatException(
                        HelpTopic.PYTORCH_WEIGHTS,
                        store.name() + " has weights as " + folder + pickle
                                + " only, a pickle, which may run code when it"
                                + " is read. Let Python convert it, SentenceTransformer(\"...\").save_pretrained(\"DIR\"),"
                                + " and name DIR; or look among the model's pull requests on the Hub for one that adds"
                                + " safetensors, and name it: hf:ORG/NAME@refs/pr/N.");
            }
        }
    }

    private static Set<String> shards(FileStore store, String index) {
        Set<String> shards = new TreeSet<>(JsonConfig.read(store.directory().resolve(index))
                .optionalObject("weight_map")
                .orElseThrow(() -> new ModelFormatException(store.name() + ": " + index + " has no \"weight_map\"."))
                .stringMap()
                .values());
        shards.forEach(shard -> inside(store, index, shard));
        return shards;
    }

    /** Refuses what would be written outside of the model's directory. */
    private static String inside(FileStore store, String file, String path) {
        if (path.startsWith("/")
                || path.contains("\\")
                || List.of(path.split("/")).contains("..")) {
            throw new ModelFormatException(
                    store.name() + ": the path \"" + path + "\" in " + file + " leaves the model's directory.");
        }
        return path;
    }

    private static List<String> those(FileStore store, Collection<String> names) {
        return names.stream().filter(store::has).toList();
    }

    private static Optional<String> first(FileStore store, String folder, List<String> names) {
        return names.stream().map(name -> folder + name).filter(store::has).findFirst();
    }

    /**
     * The folders of modules.json, each "" or with a slash at its end.
     *
     * @param transformer where the encoder and its tokenizer lie
     * @param configured modules with a config.json of their own
     * @param plain modules that may have one
     * @param weighted the transformer, and modules with weights of their own
     */
    private record Modules(String transformer, List<String> configured, List<String> plain, List<String> weighted) {

        static Modules read(FileStore store) {
            String transformer = "";
            List<String> configured = new ArrayList<>();
            List<String> plain = new ArrayList<>();
            List<String> weighted = new ArrayList<>();
            Path file = store.directory().resolve(MODULES);
            // A store that cannot tell says yes: what is missing then comes out all at once.
            if (store.has(MODULES) && Files.exists(file)) {
                for (JsonConfig module : JsonConfig.readArray(file)) {
                    String path = inside(store, MODULES, module.stringValue("path"));
                    String folder = path.isEmpty() || path.endsWith("/") ? path : path + "/";
                    String type = module.stringValue("type");
                    switch (type.substring(type.lastIndexOf('.') + 1)) {
                        case "Transformer" -> transformer = folder;
                        case "Pooling" -> configured.add(folder);
                        case "Normalize", "Dropout" -> plain.add(folder);
                        default -> {
                            configured.add(folder);
                            weighted.add(folder);
                        }
                    }
                }
            }
            weighted.add(0, transformer);
            return new Modules(transformer, configured, plain, weighted);
        }
    }
}
