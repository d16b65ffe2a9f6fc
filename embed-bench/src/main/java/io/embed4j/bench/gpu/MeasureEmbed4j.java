// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import io.embed4j.DeviceInfo;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import io.embed4j.TruncationPolicy;
import io.embed4j.core.device.Backends;
import io.embed4j.core.file.SafetensorsFile;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import io.embed4j.spi.VectorBlock;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;

/**
 * embed4j's half of the comparison, on the model and the texts that {@code peers.py} made. Every figure is appended to a
 * file as soon as it is known.
 */
final class MeasureEmbed4j {
    private static final int[] UNIFORM_LENGTHS = {16, 128, 512};
    private static final int FIRST_WORD = 57; // behind special tokens and letters in the vocabulary of peers.py
    private static final int BATCHES = 12;
    private static final int SMALL_DEVICE_TOKENS = 512;
    private static final int RUNS = 5;
    private static final int ONE_TEXT_WARM_UP = 50;
    private static final int ONE_TEXT_RUNS = 200;
    private static final double MICROS = 1e6;

    private final Path rows;
    private final Path work;
    private final String shape;
    private final Precision precision;
    private final String device;
    private final Stopwatch stopwatch;

    private MeasureEmbed4j(Path rows, Path work, String shape, Precision precision, String device, double seconds) {
        this.rows = rows;
        this.work = work;
        this.shape = shape;
        this.precision = precision;
        this.device = device;
        this.stopwatch = new Stopwatch(seconds);
    }

    /**
     * Measures.
     *
     * @param arguments the file of figures, the directory of models and texts, shape, dtype, device, seconds
     */
    public static void main(String[] arguments) throws IOException {
        List<String> all = List.of(arguments);
        MeasureEmbed4j measure = new MeasureEmbed4j(
                Path.of(all.get(0)),
                Path.of(all.get(1)),
                all.get(2),
                Precision.parse(all.get(3)),
                all.get(4),
                Double.parseDouble(all.get(5)));
        measure.throughTheLibrary();
        measure.throughTheEncoder();
        System.exit(0);
    }

    /** Text to vectors on the host, as applications call it: all texts in one call, and one text at a time. */
    private void throughTheLibrary() throws IOException {
        List<String> texts = Files.readAllLines(work.resolve("texts.txt"));
        List<String> one = Files.readAllLines(work.resolve("one.txt"));
        try (Embedder embedder = Embedder.builder()
                .model(work.resolve(shape).toString())
                .device(device)
                .precision(precision)
                .build()) {
            error(embedder, texts);
            long tokens = tokens(embedder.embed(texts));
            add(
                    Row.TEXT_TO_HOST,
                    Row.RAGGED,
                    Row.TOKENS_PER_SECOND,
                    tokens / stopwatch.medianSeconds(() -> embedder.embed(texts), RUNS, 0));
            add(
                    Row.TEXT_TO_HOST,
                    Row.ONE_TEXT,
                    Row.MICROSECONDS,
                    MICROS * stopwatch.medianSeconds(() -> embedder.embed(one), ONE_TEXT_RUNS, ONE_TEXT_WARM_UP));
        }
    }

    private static long tokens(Embeddings vectors) {
        long tokens = 0;
        for (int row = 0; row < vectors.size(); row++) {
            tokens += vectors.tokenCount(row);
        }
        return tokens;
    }

    /** The largest Euclidean distance to the peers' vectors in fp32: speed counts only if the vectors are the same. */
    private void error(Embedder embedder, List<String> texts) throws IOException {
        WeightTensor reference = SafetensorsFile.read(work.resolve(shape + "-reference.safetensors"))
                .get("vectors");
        if (reference == null) {
            throw new IllegalStateException("peers.py has written no reference vectors for " + shape + ".");
        }
        int count = reference.shape().get(0);
        int dimension = reference.shape().get(1);
        float[] expected = new float[count * dimension];
        reference.region().map().asFloatBuffer().get(expected);
        Embeddings actual = embedder.embed(texts.subList(0, count));
        double worst = 0;
        for (int row = 0; row < count; row++) {
            float[] vector = actual.vector(row);
            double square = 0;
            for (int i = 0; i < dimension; i++) {
                double difference = vector[i] - expected[row * dimension + i];
                square += difference * difference;
            }
            worst = Math.max(worst, Math.sqrt(square));
        }
        add(Row.ERROR, "first " + count + " texts", "distance", worst);
    }

    /** Token ids to vectors: what the device and its copies take, without tokenizing. */
    private void throughTheEncoder() throws IOException {
        ModelDefinition model = ModelLoader.load(work.resolve(shape).toString());
        EncoderOptions options = new EncoderOptions(model.name(), precision, model.maxTokens(), 0, List.of());
        DeviceId id = DeviceId.parse(device);
        try (Device opened = Backends.find().provider(id).open(id);
                Encoder encoder = opened.load(model.spec(), model.weights(), options)) {
            OutputRequest.Pooled request = new OutputRequest.Pooled(
                    model.spec().pooling(), model.spec().outputSize(), true);
            int budget = MeasureTopK.isSmall(opened)
                    ? Math.min(SMALL_DEVICE_TOKENS, encoder.limits().maxTokens())
                    : encoder.limits().maxTokens();
            for (int length : UNIFORM_LENGTHS) {
                encode(encoder, request, pack(model, uniform(length, budget), budget), length + " tokens");
            }
            encode(encoder, request, pack(model, ragged(model), budget), Row.RAGGED);
        }
    }

    private static List<int[]> uniform(int length, int budget) {
        Random random = new Random(length);
        List<int[]> texts = new ArrayList<>();
        for (int text = 0; text < BATCHES * Math.max(1, budget / length); text++) {
            texts.add(random.ints(length, FIRST_WORD, FIRST_WORD + 20_000).toArray());
        }
        return texts;
    }

    private List<int[]> ragged(ModelDefinition model) throws IOException {
        try (TextTokenizer tokenizer =
                TextTokenizer.load(model.tokenizerFile(), model.maxTokens(), model.lowerCase())) {
            return tokenizer
                    .tokenize(
                            Files.readAllLines(work.resolve("texts.txt")),
                            0,
                            "",
                            true,
                            TruncationPolicy.TRUNCATE,
                            false)
                    .stream()
                    .map(pieces -> pieces.get(0))
                    .map(TokenizedText::ids)
                    .sorted(Comparator.comparingInt((int[] ids) -> ids.length).reversed())
                    .toList();
        }
    }

    /** Batches of as many rows as the budget has room for. */
    private static List<PackedBatch> pack(ModelDefinition model, List<int[]> texts, int budget) {
        List<PackedBatch> batches = new ArrayList<>();
        List<int[]> rows = new ArrayList<>();
        int tokens = 0;
        for (int[] text : texts) {
            if (tokens + text.length > budget && !rows.isEmpty()) {
                batches.add(batch(model, rows));
                rows.clear();
                tokens = 0;
            }
            rows.add(text);
            tokens += text.length;
        }
        batches.add(batch(model, rows));
        return batches;
    }

    private static PackedBatch batch(ModelDefinition model, List<int[]> rows) {
        return PackedBatch.of(
                rows,
                rows.stream().map(row -> new int[row.length]).toList(),
                rows.stream()
                        .map(row -> model.spec().embedding().positions().rows(row))
                        .toList(),
                new int[rows.size()]);
    }

    /** To vectors on the host, and to vectors that stay on the device too. */
    private void encode(Encoder encoder, OutputRequest.Pooled request, List<PackedBatch> batches, String load)
            throws IOException {
        encode(Row.IDS_TO_HOST, batches, load, batch -> encoder.submit(batch, request));
        int most = batches.stream().mapToInt(PackedBatch::rows).max().orElse(1);
        Optional<VectorBlock> room = encoder.room(most, request.dimension());
        if (room.isEmpty()) {
            System.out.println("No room for vectors that stay on the device: left out.");
            return;
        }
        // Batches may overwrite each other's vectors: nobody reads them.
        try (VectorBlock there = room.get()) {
            encode(
                    Row.IDS_TO_DEVICE,
                    batches,
                    load,
                    batch -> encoder.submit(batch, request, List.of(new Encoder.Placement(0, batch.rows(), there, 0))));
        }
    }

    private void encode(String work, List<PackedBatch> batches, String load, Function<PackedBatch, Submission> submit)
            throws IOException {
        long tokens = batches.stream().mapToLong(PackedBatch::tokens).sum();
        double seconds = stopwatch.medianSeconds(
                () -> {
                    List<Submission> underWay = batches.stream().map(submit).toList();
                    underWay.forEach(submission -> submission.result().join().close());
                },
                RUNS,
                1);
        add(work, load, Row.TOKENS_PER_SECOND, tokens / seconds);
    }

    private void add(String work, String load, String unit, double value) throws IOException {
        Row row = new Row(Row.EMBED4J, work, load, unit, value, shape, precision.toString(), 0);
        row.append(rows);
        System.out.println(row);
    }

    /** What the device is, for the report's head. */
    static DeviceInfo describe(String device) {
        DeviceId id = DeviceId.parse(device);
        try (Device opened = Backends.find().provider(id).open(id)) {
            return opened.info();
        }
    }
}
