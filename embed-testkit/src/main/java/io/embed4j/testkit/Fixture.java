// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.embed4j.EmbedderOptions;
import io.embed4j.Precision;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A model and what the reference makes of 32 texts: token ids and vectors in float64, and torch's own errors in each
 * precision. Made by {@code embed-testkit/fixtures/make_fixtures.py} with sentence-transformers, never by our code.
 */
public final class Fixture {
    private static final String ROOT = "fixtures/";
    private static final Set<String> OVERFLOW_FP16 = Set.of("t5", "mt5", "gemma3_text");
    private static final Map<String, Fixture> LOADED = new ConcurrentHashMap<>();

    /** Tiny random models, with the directory of each among the resources. */
    public static final List<String> TINY = List.of(
            "bert-h36-a3",
            "bert-h48-a2",
            "bert-h40-a5",
            "bert-dense-h32-a4",
            "bert-lasttoken-h32-a2",
            "roberta-h36-a3",
            "xlm-roberta-h48-a2",
            "camembert-h40-a5",
            "distilbert-h48-a4",
            "mpnet-h36-a3",
            "albert-h36-a3",
            "electra-h40-a5",
            "modernbert-h36-a3",
            "qwen3-h40-a4",
            "qwen2-h36-a6",
            "qwen2-both-h32-a4",
            "mistral-h32-a4",
            "nomic-bert-h36-a3",
            "nomic-bert-own-h32-a2",
            "gte-h36-a3",
            "gte-own-h32-a4",
            "t5-h36-a4",
            "mt5-h40-a2",
            "gemma3-h36-a4",
            "eurobert-h36-a6");

    /** The embedded default, whose weights come from the class path. */
    public static final String EMBEDDED_DEFAULT = "minilm-default";

    /** A model for search, with prompts by role, shorter vectors and a similarity in its configuration. */
    public static final String RETRIEVAL = "bert-retrieval-h32-a2";

    private final String name;
    private final String model;
    private final Expected expected;
    private final @Nullable Edges edges;

    /** The parts of expected.json that tests read. */
    @SuppressWarnings("ArrayRecordComponent") // read once, compared element by element
    private record Expected(
            int maxLength,
            int dimension,
            Map<String, Double> ownError,
            Map<String, Double> ownTokenError,
            List<String> texts,
            int[][] tokenIds,
            int[] tokenCounts,
            boolean[] truncated,
            double[][] vectors,
            List<TokenVectors> tokenVectors,
            List<Prompted> prompted,
            @Nullable Retrieval retrieval) {}

    /**
     * The reference's token vectors of one text.
     *
     * @param text place of the text
     * @param offsets [n][2] start and end of each token in chars; [0, 0] for special tokens
     * @param words [n] the word of each token; -1 for special tokens
     * @param hidden [n][H] last hidden states
     */
    @SuppressWarnings("ArrayRecordComponent") // read once, compared element by element
    public record TokenVectors(int text, int[][] offsets, int[] words, double[][] hidden) {}

    /**
     * The reference's vector of one text behind one of the model's prompts.
     *
     * @param promptName the prompt
     * @param text place of the text
     * @param tokenIds ids of prompt and text
     * @param vector [D]
     */
    @SuppressWarnings("ArrayRecordComponent") // read once, compared element by element
    public record Prompted(String promptName, int text, int[] tokenIds, double[] vector) {}

    /**
     * What sentence-transformers' methods give of some texts, for a model whose configuration has what search needs.
     *
     * @param texts places of the texts
     * @param promptNames names of prompts that the model knows
     * @param dimension D, where the configuration cuts vectors
     * @param similarity how vectors want to be compared
     * @param plain {@code encode}
     * @param query {@code encode_query}
     * @param document {@code encode_document}
     * @param shorter {@code encode(truncate_dim)}
     * @param shorterUnit {@code encode(truncate_dim, normalize_embeddings=True)}
     * @param similarities {@code similarity} of the queries with the documents, by the function's name
     */
    public record Retrieval(
            List<Integer> texts,
            List<String> promptNames,
            int dimension,
            String similarity,
            Encoded plain,
            Encoded query,
            Encoded document,
            Encoded shorter,
            Encoded shorterUnit,
            Map<String, double[][]> similarities) {}

    /**
     * The reference's answer for some texts.
     *
     * @param tokenIds ids of each text, with its prompt
     * @param vectors a vector of each text
     */
    @SuppressWarnings("ArrayRecordComponent") // read once, compared element by element
    public record Encoded(int[][] tokenIds, double[][] vectors) {}

    /**
     * Texts whose token counts lie just below, at and above the lengths at which something begins: the edges of windows and
     * of buckets of relative positions, backends' tiles and launch buckets, the model's maximum.
     *
     * @param texts the texts
     * @param tokenCounts tokens of each, special tokens included, before truncation
     * @param vectors [texts][D], float64
     * @param ownError torch's own error on these texts, by precision
     */
    @SuppressWarnings("ArrayRecordComponent") // read once, compared element by element
    public record Edges(List<String> texts, int[] tokenCounts, double[][] vectors, Map<String, Double> ownError) {

        /** torch's own error on these texts. */
        double ownError(Precision precision) {
            return Objects.requireNonNull(ownError.get(precision.toString()));
        }
    }

    private Fixture(String name, String model, Expected expected, @Nullable Edges edges) {
        this.name = name;
        this.model = model;
        this.expected = expected;
        this.edges = edges;
    }

    /** Tiny models and the embedded default, which must be on the class path. */
    public static Stream<Fixture> all() {
        return Stream.concat(TINY.stream(), Stream.of(EMBEDDED_DEFAULT)).map(Fixture::load);
    }

    /**
     * Loads a fixture; the second time, returns the same.
     *
     * @param name its directory's name
     */
    public static Fixture load(String name) {
        return LOADED.computeIfAbsent(name, Fixture::read);
    }

    /**
     * Reads a fixture that is not among the resources, because it is too large to commit.
     *
     * @param folder with {@code expected.json} and {@code model/}, as {@code embed-testkit/fixtures/full_depth.py} writes it
     */
    public static Fixture at(Path folder) {
        try (Reader reader = Files.newBufferedReader(folder.resolve("expected.json"))) {
            Expected expected = new Gson().fromJson(reader, Expected.class);
            return new Fixture(
                    String.valueOf(folder.getFileName()),
                    folder.resolve("model").toString(),
                    expected,
                    null);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Fixture read(String name) {
        String path = ROOT + name;
        Expected expected =
                Objects.requireNonNull(read(path + "/expected.json", Expected.class), "There is no fixture " + name);
        try {
            URL model = Fixture.class.getResource(path + "/model/config.json");
            return new Fixture(
                    name,
                    model == null
                            ? EmbedderOptions.DEFAULT_MODEL
                            : directory(model).toString(),
                    expected,
                    read(path + "/edges.json", Edges.class));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A resource in JSON; null if there is none. */
    private static <T> @Nullable T read(String path, Class<T> type) {
        try (InputStream in = Fixture.class.getResourceAsStream(path)) {
            return in == null ? null : new Gson().fromJson(new InputStreamReader(in, StandardCharsets.UTF_8), type);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The directory of a resource; copied to a temporary one if it lies in a jar, since weights are mapped. */
    private static Path directory(URL resource) throws IOException, URISyntaxException {
        URI uri = resource.toURI();
        if (uri.getScheme().equals("file")) {
            return Objects.requireNonNull(Path.of(uri).getParent());
        }
        Path temporary = Files.createTempDirectory("embed4j-fixture");
        temporary.toFile().deleteOnExit();
        Path target = temporary.resolve("model");
        try (FileSystem jar = FileSystems.newFileSystem(uri, new HashMap<>())) {
            Path source = Objects.requireNonNull(jar.provider().getPath(uri).getParent());
            try (Stream<Path> files = Files.walk(source)) {
                for (Path file : files.toList()) {
                    Path copy = target.resolve(source.relativize(file).toString());
                    copy.toFile().deleteOnExit();
                    if (Files.isDirectory(file)) {
                        Files.createDirectories(copy);
                    } else {
                        Files.copy(file, copy);
                    }
                }
            }
        }
        return target;
    }

    /** The directory's name. */
    public String name() {
        return name;
    }

    /** What {@code Embedder.builder().model(...)} takes. */
    public String model() {
        return model;
    }

    /** The model's {@code model_type}. */
    public String modelType() {
        if (name.equals(EMBEDDED_DEFAULT)) {
            return "bert";
        }
        Path directory = Path.of(model);
        Path old = directory.resolve("0_Transformer/config.json");
        Path config = Files.exists(old) ? old : directory.resolve("config.json");
        try (Reader reader = Files.newBufferedReader(config)) {
            return new Gson()
                    .fromJson(reader, JsonObject.class)
                    .get("model_type")
                    .getAsString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether the model is of a family whose activations leave the range of fp16, so that fp16 is refused. */
    public boolean overflowsFp16() {
        return OVERFLOW_FP16.contains(modelType());
    }

    /** Longest text in tokens. */
    public int maxTokens() {
        return expected.maxLength();
    }

    /** D. */
    public int dimension() {
        return expected.dimension();
    }

    /** The 32 texts. */
    public List<String> texts() {
        return expected.texts();
    }

    /** Ids of a text after truncation. */
    public int[] tokenIds(int text) {
        return expected.tokenIds()[text];
    }

    /** Tokens of a text before truncation. */
    public int tokenCount(int text) {
        return expected.tokenCounts()[text];
    }

    /** Whether a text is too long for the model. */
    public boolean truncated(int text) {
        return expected.truncated()[text];
    }

    /** [32][D], float64. */
    public double[][] vectors() {
        return expected.vectors();
    }

    /** Token vectors of a few texts. */
    public List<TokenVectors> tokenVectors() {
        return expected.tokenVectors();
    }

    /** Vectors of a few texts behind prompts; empty for models without. */
    public List<Prompted> prompted() {
        return expected.prompted();
    }

    /** Texts at edges; empty for the embedded default, which has its edges among {@link #texts()}. */
    public Optional<Edges> edges() {
        return Optional.ofNullable(edges);
    }

    /** Answers of the one fixture that has them, {@link #RETRIEVAL}. */
    public Retrieval retrieval() {
        return Objects.requireNonNull(expected.retrieval(), name + " has no answers for retrieval");
    }

    /** torch's own error in a precision: see DESIGN's definition in {@link Bar}. */
    public double ownError(Precision precision) {
        return Objects.requireNonNull(expected.ownError().get(precision.toString()));
    }

    /** torch's own error of token vectors, relative to their length. */
    public double ownTokenError(Precision precision) {
        return Objects.requireNonNull(expected.ownTokenError().get(precision.toString()));
    }

    @Override
    public String toString() {
        return name;
    }
}
