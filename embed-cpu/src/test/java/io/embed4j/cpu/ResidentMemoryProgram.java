// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.Precision;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.model.ModelOutline;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.VectorBlock;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

/**
 * Loads an encoder with random weights, runs it until it has met everything it keeps memory for, and prints what was
 * planned and by how much the process grew. Runs in a JVM of its own, for what a process once had it seldom gives back.
 */
final class ResidentMemoryProgram {
    private static final int SHORT_ROW = 16;
    private static final int SAMPLE_ROWS = 8;

    private ResidentMemoryProgram() {}

    /**
     * Measures.
     *
     * @param arguments a directory with a config.json, a small one beside it, precision, storage of the weights
     */
    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        Precision precision = Precision.parse(arguments[2]);
        DType stored = DType.valueOf(arguments[3]);
        try (Device device = new CpuBackendProvider().open(DeviceId.CPU)) {
            // Libraries, threads and compiled code are there before the model is.
            run(device, Path.of(arguments[1]), precision, stored);
            long before = residentBytes();
            measure(device, directory, precision, stored, before);
        }
    }

    private static void measure(Device device, Path directory, Precision precision, DType stored, long before)
            throws Exception {
        ModelOutline model = ModelLoader.outline(directory.toString());
        EncoderOptions options = options(model, precision);
        MemoryPlan plan = device.plan(model.spec(), (role, index) -> stored, options);
        try (Encoder encoder = device.load(model.spec(), weights(directory, model.spec(), stored), options)) {
            System.out.println("loaded " + (residentBytes() - before));
            work(model, encoder);
            System.out.println("plan " + plan);
            System.out.println("planned " + plan.totalBytes());
            System.out.println("measured " + (residentBytes() - before));
        }
    }

    private static void run(Device device, Path directory, Precision precision, DType stored) throws Exception {
        ModelOutline model = ModelLoader.outline(directory.toString());
        try (Encoder encoder =
                device.load(model.spec(), weights(directory, model.spec(), stored), options(model, precision))) {
            work(model, encoder);
        }
    }

    private static EncoderOptions options(ModelOutline model, Precision precision) {
        EncoderOptions options = new EncoderOptions(model.name(), precision, model.maxTokens(), 0, List.of());
        Random random = new Random(5);
        int vocabulary = model.spec().embedding().vocabularySize();
        return precision == Precision.INT8
                ? options.withSampleRows(IntStream.range(0, SAMPLE_ROWS)
                        .mapToObj(i -> random.ints(SHORT_ROW, 0, vocabulary).toArray())
                        .toList())
                : options;
    }

    /** Every row of the token table, full batches on all cores at once, the longest texts, and texts by themselves. */
    private static void work(ModelOutline model, Encoder encoder) throws Exception {
        int vocabulary = model.spec().embedding().vocabularySize();
        int budget = encoder.limits().maxTokens();
        List<PackedBatch> batches = new ArrayList<>();
        for (int first = 0; first < vocabulary; first += budget) {
            batches.add(batch(model, first, budget / SHORT_ROW, SHORT_ROW));
        }
        int longest = model.maxTokens();
        int rows = (int) Math.min(budget / longest, encoder.limits().maxPaddedPairs() / ((long) longest * longest));
        for (int i = 0; i < 2 * encoder.limits().concurrentBatches(); i++) {
            batches.add(batch(model, i, Math.max(1, rows), longest));
        }
        OutputRequest request = new OutputRequest.Pooled(
                PoolingSpec.of(PoolingMode.MEAN), model.spec().outputSize(), true);
        List<CompletableFuture<VectorBlock>> results = batches.stream()
                .map(batch -> encoder.submit(batch, request).result())
                .toList();
        for (CompletableFuture<VectorBlock> result : results) {
            result.get().close();
        }
        for (int length : new int[] {SHORT_ROW, longest}) {
            encoder.submitWaiting(batch(model, 0, 1, length), request)
                    .result()
                    .get()
                    .close();
        }
    }

    private static PackedBatch batch(ModelOutline model, int firstToken, int rows, int length) {
        int vocabulary = model.spec().embedding().vocabularySize();
        List<int[]> ids = IntStream.range(0, rows)
                .mapToObj(row -> IntStream.range(0, length)
                        .map(i -> (firstToken + row * length + i) % vocabulary)
                        .toArray())
                .toList();
        return PackedBatch.of(
                ids,
                ids.stream().map(row -> new int[row.length]).toList(),
                ids.stream()
                        .map(row -> model.spec().embedding().positions().rows(row))
                        .toList(),
                new int[rows]);
    }

    /** Random numbers for every weight, in one file. */
    private static WeightSource weights(Path directory, EncoderSpec spec, DType stored) throws IOException {
        Path file = directory.resolve("weights-" + stored);
        long elements =
                spec.weightShapes().stream().mapToLong(WeightShape::elements).sum();
        if (!Files.exists(file)) {
            write(file, elements, stored);
        }
        Map<String, WeightTensor> tensors = new HashMap<>();
        long offset = 0;
        for (WeightShape shape : spec.weightShapes()) {
            long bytes = shape.elements() * stored.bytes();
            tensors.put(
                    shape.role() + " " + shape.index(),
                    new WeightTensor(
                            shape.role().name(),
                            stored,
                            shape.shape(),
                            false,
                            new FileRegion(file.toRealPath(), offset, bytes)));
            offset += bytes;
        }
        return (role, index) -> Optional.ofNullable(tensors.get(role + " " + index));
    }

    private static void write(Path file, long elements, DType stored) throws IOException {
        Random random = new Random(7);
        int block = 1 << 16;
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
            ByteBuffer bytes = ByteBuffer.allocate(block * stored.bytes()).order(ByteOrder.LITTLE_ENDIAN);
            for (long written = 0; written < elements; written += block) {
                bytes.clear();
                for (int i = 0; i < block; i++) {
                    float value = 0.04f * (random.nextFloat() - 0.5f);
                    if (stored == DType.FP32) {
                        bytes.putFloat(value);
                    } else {
                        // The upper half of an fp32 is a bf16.
                        bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
                    }
                }
                out.write(bytes.array(), 0, Math.toIntExact(Math.min(block, elements - written)) * stored.bytes());
            }
        }
    }

    private static long residentBytes() throws IOException {
        System.gc();
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        throw new IOException("/proc/self/status has no VmRSS.");
    }
}
