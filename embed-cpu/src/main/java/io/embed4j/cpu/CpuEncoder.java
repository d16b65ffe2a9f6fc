// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.Precision;
import io.embed4j.core.device.HostVectors;
import io.embed4j.core.math.PoolingHead;
import io.embed4j.core.math.RotaryAngles;
import io.embed4j.cpu.EncoderSession.Tensor;
import io.embed4j.cpu.graph.EncoderGraph;
import io.embed4j.cpu.graph.EncoderGraph.Rows;
import io.embed4j.cpu.graph.LinearSite;
import io.embed4j.cpu.graph.Quantization;
import io.embed4j.cpu.graph.QuantizedWeights;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.Submission;
import io.embed4j.spi.VectorBlock;
import io.embed4j.spi.WeightSource;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * One encoder on the CPU: as many worker threads as cores, each running whole batches on one shared session, so that
 * cores never wait for each other within a batch. A single text whose caller waits for it and finds the encoder idle
 * runs on the caller's thread in a second session, in which all cores share the run and nothing is padded; it is made when
 * the first such text comes.
 */
final class CpuEncoder implements Encoder {
    /** Beyond about a thousand tokens a batch no longer fits the caches and gets slower per token. */
    private static final int DEFAULT_BATCH_TOKENS = 1024;

    /** Two batches of so few tokens on two cores still take less time than both in one. */
    private static final int MIN_BATCH_TOKENS = 16;

    /** Attention holds A * B * S^2 scores; batches of long rows are kept small by this. */
    private static final long MAX_SCORE_BYTES = 64L << 20;

    private final EncoderSpec spec;
    private final WeightSource weights;
    private final EncoderOptions options;
    private final Consumer<EncoderOptions> account;
    private final Optional<Quantization> quantization;
    private final PoolingHead head;
    private final MemoryLedger.Reservation reservation;
    private final ExecutorService workers;
    private final Map<SessionKey, EncoderSession> sessions = new ConcurrentHashMap<>();
    private final AtomicInteger batchesUnderWay = new AtomicInteger();

    /** Held for reading while a batch runs on its caller's thread, for writing while the sessions are freed. */
    private final ReadWriteLock life = new ReentrantReadWriteLock();

    private volatile Limits limits;

    private boolean closed;

    private record SessionKey(List<Integer> outputLayers, Rows rows) {}

    /**
     * Loads an encoder.
     *
     * @param reservation given back at the end
     * @param account enters other options into the device's account, or refuses
     */
    CpuEncoder(
            EncoderSpec spec,
            WeightSource weights,
            EncoderOptions options,
            MemoryLedger.Reservation reservation,
            Consumer<EncoderOptions> account) {
        this.spec = spec;
        this.weights = weights;
        this.options = options;
        this.account = account;
        this.limits = limits(spec, options);
        this.quantization = options.precision() == Precision.INT8
                ? Optional.of(new Quantization(InstructionSet.int8WeightBits(), calibrate(options.sampleRows())))
                : Optional.empty();
        this.head = new PoolingHead(spec, weights);
        this.reservation = reservation;
        session(lastLayer(), Rows.ANY);
        this.workers = Executors.newFixedThreadPool(limits.concurrentBatches(), task -> {
            Thread thread = new Thread(task, "embed4j-cpu-" + options.tenant());
            thread.setDaemon(true);
            return thread;
        });
    }

    /** The token budget where the user sets none. */
    static int defaultBatchTokens(int maxTokensPerText) {
        return Math.max(DEFAULT_BATCH_TOKENS, maxTokensPerText);
    }

    static Limits limits(EncoderSpec spec, EncoderOptions options) {
        int heads = spec.layers().get(0).attention().heads();
        int tokens = options.maxBatchTokens() > 0
                ? options.maxBatchTokens()
                : defaultBatchTokens(options.maxTokensPerText());
        long pairs = Math.max(
                MAX_SCORE_BYTES / DType.FP32.bytes() / heads,
                (long) options.maxTokensPerText() * options.maxTokensPerText());
        return new Limits(
                tokens, pairs, Runtime.getRuntime().availableProcessors(), Math.min(MIN_BATCH_TOKENS, tokens));
    }

    @Override
    public Limits limits() {
        return limits;
    }

    /** New sessions, because ONNX Runtime keeps what the old ones have taken for their largest batches. */
    @Override
    public void resizeBudget(int maxBatchTokens) {
        EncoderOptions changed = options.withMaxBatchTokens(maxBatchTokens);
        life.writeLock().lock();
        try {
            if (closed) {
                throw new EmbedderClosedException("The encoder is closed.");
            }
            account.accept(changed);
            limits = limits(spec, changed);
            sessions.values().forEach(EncoderSession::close);
            sessions.clear();
            session(lastLayer(), Rows.ANY);
        } finally {
            life.writeLock().unlock();
        }
    }

    @Override
    public Submission submit(PackedBatch batch, OutputRequest request) {
        requireAdmitted(batch);
        CompletableFuture<VectorBlock> result = new CompletableFuture<>();
        batchesUnderWay.incrementAndGet();
        try {
            workers.execute(() -> run(batch, request, Rows.ANY, result));
        } catch (RejectedExecutionException e) {
            batchesUnderWay.decrementAndGet();
            result.completeExceptionally(new EmbedderClosedException("The encoder is closed.", e));
        }
        return () -> result;
    }

    /** A single text on an idle machine runs here and now, on all cores. */
    @Override
    public Submission submitWaiting(PackedBatch batch, OutputRequest request) {
        boolean alone = batch.rows() == 1 && limits.concurrentBatches() > 1 && batchesUnderWay.compareAndSet(0, 1);
        if (!alone) {
            return submit(batch, request);
        }
        CompletableFuture<VectorBlock> result = new CompletableFuture<>();
        life.readLock().lock();
        try {
            if (closed) {
                batchesUnderWay.decrementAndGet();
                result.completeExceptionally(new EmbedderClosedException("The encoder is closed."));
            } else {
                run(batch, request, Rows.ONE, result);
            }
        } finally {
            life.readLock().unlock();
        }
        return () -> result;
    }

    private void requireAdmitted(PackedBatch batch) {
        if (!limits.admits(batch.rows(), batch.tokens(), batch.longestRow())) {
            throw new IllegalArgumentException("A batch of " + batch.rows() + " rows, " + batch.tokens()
                    + " tokens, longest row " + batch.longestRow() + " exceeds " + limits + ".");
        }
    }

    private void run(PackedBatch batch, OutputRequest request, Rows rows, CompletableFuture<VectorBlock> result) {
        VectorBlock block = null;
        Throwable failure = null;
        try {
            if (!result.isDone()) {
                block = request instanceof OutputRequest.Tokens tokens
                        ? encodeTokens(batch, tokens.layers(), rows)
                        : pool(batch, (OutputRequest.Pooled) request, rows);
            }
        } catch (EmbedException e) {
            failure = e;
        } catch (RuntimeException | OutOfMemoryError e) {
            failure = new EmbedException("A batch of " + batch.tokens() + " tokens failed: " + e, e);
        }
        // Before the result: whoever waits for it may submit the next text at once, and finds the encoder idle.
        batchesUnderWay.decrementAndGet();
        if (failure != null) {
            result.completeExceptionally(failure);
        } else if (block != null) {
            result.complete(block);
        }
    }

    private VectorBlock pool(PackedBatch batch, OutputRequest.Pooled request, Rows rows) {
        FloatBuffer hidden = session(lastLayer(), rows).run(inputs(batch, rows)).get(0);
        return new HostVectors(request.dimension(), FloatBuffer.wrap(head.apply(batch, hidden, request)));
    }

    private VectorBlock encodeTokens(PackedBatch batch, List<Integer> layers, Rows rows) {
        List<FloatBuffer> hidden = session(layers, rows).run(inputs(batch, rows));
        if (hidden.size() == 1) {
            return new HostVectors(spec.hiddenSize(), hidden.get(0));
        }
        FloatBuffer all = FloatBuffer.allocate(
                hidden.stream().mapToInt(FloatBuffer::remaining).sum());
        hidden.forEach(all::put);
        return new HostVectors(spec.hiddenSize(), all.flip());
    }

    private List<Integer> lastLayer() {
        return List.of(spec.layers().size());
    }

    private EncoderSession session(List<Integer> outputLayers, Rows rows) {
        return sessions.computeIfAbsent(new SessionKey(outputLayers, rows), key -> {
            try (QuantizedWeights file =
                    quantization.map(QuantizedWeights::create).orElse(null)) {
                return open(key, Optional.ofNullable(file));
            }
        });
    }

    private EncoderSession open(SessionKey key, Optional<QuantizedWeights> quantized) {
        Path folder = commonFolder(Stream.concat(weightFiles(), quantized.map(QuantizedWeights::file).stream()));
        return OnnxRuntime.open(
                EncoderGraph.build(spec, weights, folder, quantized, key.outputLayers(), key.rows()),
                folder,
                key.rows() == Rows.ONE ? limits.concurrentBatches() : 1);
    }

    /** Runs samples in fp32 and notes the largest magnitude of each channel that goes into each linear layer. */
    private Map<LinearSite, float[]> calibrate(List<int[]> sampleRows) {
        if (sampleRows.isEmpty()) {
            throw new IllegalArgumentException("Precision int8 needs sample rows to calibrate with.");
        }
        Path folder = commonFolder(weightFiles());
        EncoderGraph.Calibration calibration = EncoderGraph.buildCalibration(spec, weights, folder);
        PackedBatch batch = PackedBatch.of(
                sampleRows,
                sampleRows.stream().map(row -> new int[row.length]).toList(),
                sampleRows.stream()
                        .map(row -> spec.embedding().positions().rows(row))
                        .toList(),
                new int[sampleRows.size()]);
        Map<LinearSite, float[]> magnitudes = new HashMap<>();
        try (EncoderSession session = OnnxRuntime.openOnce(calibration.model(), folder)) {
            List<FloatBuffer> outputs = session.run(inputs(batch, Rows.ANY));
            calibration.outputBySite().forEach((site, output) -> {
                float[] largest = new float[outputs.get(output).remaining()];
                outputs.get(output).duplicate().get(largest);
                magnitudes.put(site, largest);
            });
        }
        return magnitudes;
    }

    private Map<String, Tensor> inputs(PackedBatch batch, Rows rows) {
        int tokens = batch.tokens();
        int longest = batch.longestRow();
        Map<String, Tensor> inputs = new HashMap<>();
        inputs.put(EncoderGraph.TOKEN_IDS, new Tensor(ints(batch.tokenIds()), tokens));
        Optional<RotarySpec> byBatch = RotaryAngles.byBatch(spec);
        if (byBatch.isPresent()) {
            RotaryAngles angles = RotaryAngles.ofBatch(byBatch.get(), batch);
            int pairs = byBatch.get().rotaryDimension() / 2;
            inputs.put(EncoderGraph.COSINES, new Tensor(floats(angles.cosines()), tokens, pairs));
            inputs.put(EncoderGraph.SINES, new Tensor(floats(angles.sines()), tokens, pairs));
            inputs.put(
                    EncoderGraph.POSITIONS,
                    new Tensor(ints(IntStream.range(0, tokens).toArray()), tokens));
        } else {
            inputs.put(EncoderGraph.POSITIONS, new Tensor(ints(batch.positions()), tokens));
        }
        if (spec.embedding().tokenTypes() > 0) {
            inputs.put(EncoderGraph.TYPE_IDS, new Tensor(ints(batch.typeIds()), tokens));
        }
        if (EncoderGraph.hasDistanceBias(spec)) {
            inputs.put(EncoderGraph.DISTANCES, new Tensor(distances(longest), longest, longest));
        }
        if (rows == Rows.ANY) {
            putGroups(batch, inputs);
        }
        return inputs;
    }

    /** Neighbouring rows of equal length go through attention together. */
    private static void putGroups(PackedBatch batch, Map<String, Tensor> inputs) {
        int groups = 0;
        IntBuffer starts = ints(batch.rows());
        IntBuffer ends = ints(batch.rows());
        IntBuffer shapes = ints(3 * batch.rows());
        for (int row = 0; row < batch.rows(); groups++) {
            int first = row;
            while (row < batch.rows() && batch.length(row) == batch.length(first)) {
                row++;
            }
            starts.put(batch.cuSeqLens()[first]);
            ends.put(batch.cuSeqLens()[row]);
            shapes.put(row - first).put(batch.length(first)).put(-1);
        }
        inputs.put(EncoderGraph.GROUP_STARTS, new Tensor(starts.flip(), groups, 1));
        inputs.put(EncoderGraph.GROUP_ENDS, new Tensor(ends.flip(), groups, 1));
        inputs.put(EncoderGraph.GROUP_SHAPES, new Tensor(shapes.flip(), groups, 3));
    }

    /** Key minus query for each pair of places, moved up so that the smallest is 0. */
    private IntBuffer distances(int longest) {
        int zero = spec.embedding().positions().usablePositions() - 1;
        IntBuffer distances = ints(longest * longest);
        for (int query = 0; query < longest; query++) {
            for (int key = 0; key < longest; key++) {
                distances.put(query * longest + key, key - query + zero);
            }
        }
        return distances;
    }

    private static IntBuffer ints(int count) {
        return ByteBuffer.allocateDirect(Math.multiplyExact(count, Integer.BYTES))
                .order(ByteOrder.nativeOrder())
                .asIntBuffer();
    }

    private static IntBuffer ints(int[] values) {
        return ints(values.length).put(values).flip();
    }

    private static FloatBuffer floats(float[] values) {
        return ByteBuffer.allocateDirect(Math.multiplyExact(values.length, Float.BYTES))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer()
                .put(values)
                .flip();
    }

    private Stream<Path> weightFiles() {
        return spec.weightShapes().stream()
                .map(weight ->
                        weights.get(weight.role(), weight.index()).region().file());
    }

    /** The deepest directory above all files: ONNX Runtime takes external data from one folder. */
    private static Path commonFolder(Stream<Path> files) {
        Set<Path> parents = files.map(Path::getParent).collect(Collectors.toCollection(LinkedHashSet::new));
        Path folder = null;
        for (Path parent : parents) {
            folder = folder == null ? parent : folder;
            while (folder != null && !parent.startsWith(folder)) {
                folder = folder.getParent();
            }
            if (folder == null) {
                throw new EmbedException("The files that ONNX Runtime is to map have no common folder: " + parents
                        + ". Put the model's files into one directory; for int8, set the system property"
                        + " java.io.tmpdir to a directory on the same drive.");
            }
        }
        return Objects.requireNonNull(folder, "a model has weights");
    }

    @Override
    public void close() {
        workers.shutdown();
        boolean interrupted = false;
        boolean ended = false;
        while (!ended) {
            try {
                ended = workers.awaitTermination(1, TimeUnit.MINUTES);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        life.writeLock().lock();
        try {
            closed = true;
            sessions.values().forEach(EncoderSession::close);
            sessions.clear();
        } finally {
            life.writeLock().unlock();
        }
        reservation.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
