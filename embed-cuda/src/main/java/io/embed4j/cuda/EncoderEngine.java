// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.core.device.HostVectors;
import io.embed4j.core.math.RotaryAngles;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import io.embed4j.spi.VectorBlock;
import io.embed4j.spi.WeightSource;
import java.nio.FloatBuffer;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An encoder's memory, streams and launches. Copies in, computing and copies out have a stream each; events keep a batch
 * in order across them, and let different batches overlap.
 *
 * <p>Starting is for one thread at a time; finishing may go on beside it.
 */
final class EncoderEngine implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EncoderEngine.class);

    /** Kernels of a warp a row take rows by four: what is worked on in pieces must be cut there. */
    private static final int ROWS_TOGETHER = 4;

    private final CudaContext context;
    private final KernelModule module;
    private final int computeCapability;
    private final EncoderSpec spec;
    private final Resources resources = new Resources();
    private final DevicePointer weights;
    private final CudaStream copyIn;
    private final CudaStream compute;
    private final CudaStream copyOut;
    private final Kernels kernels;
    private WorkingMemory working;
    private boolean usable = true;

    /**
     * A batch whose work is queued.
     *
     * @param task what was asked for
     * @param slot which slot it is in
     * @param dimension width of its vectors
     * @param numbers how many the slot's output will hold
     * @param early vectors that were copied out in pieces already; empty if they are in the slot's output
     */
    record Running(CudaEncoder.Task task, int slot, int dimension, int numbers, Optional<float[]> early) {}

    /**
     * Allocates everything and loads the weights.
     *
     * @throws CudaException if a call of the driver fails, for instance for lack of memory; nothing is left behind
     */
    EncoderEngine(
            CudaContext context,
            KernelModule module,
            int computeCapability,
            EncoderSpec spec,
            WeightSource source,
            EncoderArena arena) {
        this.context = context;
        this.module = module;
        this.computeCapability = computeCapability;
        this.spec = spec;
        try {
            weights = resources
                    .add(new DeviceMemory(context, arena.weightAllocation()))
                    .pointer();
            copyIn = resources.add(new CudaStream(context));
            compute = resources.add(new CudaStream(context));
            copyOut = resources.add(new CudaStream(context));
            kernels = resources.add(new Kernels(context, module, compute));
            working = workingMemory(arena);
        } catch (RuntimeException | Error e) {
            resources.close();
            throw e;
        }
        try (WeightLoader loader = new WeightLoader(
                context,
                spec,
                source,
                arena.weights(),
                weights,
                working.base(),
                arena.activations().bytes(),
                compute,
                kernels)) {
            loader.load();
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private WorkingMemory workingMemory(EncoderArena arena) {
        return new WorkingMemory(context, module, computeCapability, spec, arena, weights, compute, kernels);
    }

    /**
     * Exchanges the working memory for one of another size. Nothing may be running.
     *
     * @param before what there is
     * @param after what there shall be
     * @throws CudaException if there is no room after all: then all is as before, unless {@link #isUsable} says otherwise
     */
    void resize(EncoderArena before, EncoderArena after) {
        settle();
        working.close();
        try {
            working = workingMemory(after);
        } catch (CudaException e) {
            usable = false;
            working = workingMemory(before);
            usable = true;
            throw e;
        }
    }

    /** Whether there is memory to work in; there may be none behind a failed {@link #resize}. */
    boolean isUsable() {
        return usable;
    }

    /**
     * Queues a batch's copies and launches.
     *
     * @param task what is asked for
     * @param slot a free one
     */
    Running start(CudaEncoder.Task task, int slot) {
        if (task.request() instanceof OutputRequest.Pooled pooled) {
            return startPooled(task, pooled, slot);
        }
        return startTokens(task, (OutputRequest.Tokens) task.request(), slot);
    }

    private Running startPooled(CudaEncoder.Task task, OutputRequest.Pooled request, int slot) {
        PackedBatch batch = task.batch();
        boolean pruned = TextHead.takesOneToken(request);
        boolean lastTokens = request.pooling().modes().get(0) == PoolingMode.LAST_TOKEN;
        TextHead head = working.head();
        LaunchGraphs graphs = working.graphs();
        EncoderProgram program = working.program();
        int textsAtOnce =
                Math.min(head.textsAtOnce(request), working.activations().outputFloats() / request.dimension());
        int numbers = Math.multiplyExact(batch.rows(), request.dimension());
        LaunchGraphs.Bounds bounds = graphs.bounds(batch, textsAtOnce);
        BatchInputs inputs = upload(batch, bounds, lastTokens, slot);
        DevicePointer output = working.outputs(slot);
        if (batch.rows() <= textsAtOnce) {
            graphs.run(bounds, request, slot, () -> {
                EncoderProgram.Result result = program.run(inputs, pruned, (layer, hidden, rows) -> {});
                head.run(result, inputs, request, 0, inputs.rowBound(), output);
            });
            place(task, output, 0, batch.rows());
            download(slot, numbers);
            return new Running(task, slot, request.dimension(), numbers, Optional.empty());
        }
        EncoderProgram.Result result = program.run(inputs, pruned, (layer, hidden, rows) -> {});
        float[] vectors = new float[numbers];
        int step = textsAtOnce / ROWS_TOGETHER * ROWS_TOGETHER;
        if (step == 0) {
            throw new IllegalArgumentException("Vectors of " + request.dimension() + " numbers by "
                    + request.pooling().modes().size() + " pooling modes are wider than there is memory for. Ask for"
                    + " fewer modes at a time.");
        }
        for (int first = 0; first < batch.rows(); first += step) {
            int texts = Math.min(step, batch.rows() - first);
            head.run(result, inputs, request, first, texts, output);
            int at = first * request.dimension();
            int piece = texts * request.dimension();
            place(task, output, first, texts);
            fetch(slot, vectors, at, piece);
        }
        return new Running(task, slot, request.dimension(), numbers, Optional.of(vectors));
    }

    /**
     * Copies vectors to where they are to stay.
     *
     * @param output fp32 [texts, dimension], rows of the batch from the first on
     */
    private void place(CudaEncoder.Task task, DevicePointer output, int first, int texts) {
        for (Encoder.Placement placement : task.placements()) {
            int from = Math.max(first, placement.batchRow());
            int to = Math.min(first + texts, placement.batchRow() + placement.rows());
            if (from < to && placement.room() instanceof DeviceVectors room) {
                int roomRow = placement.roomRow() + from - placement.batchRow();
                compute.copy(
                        room.pointer().plus(DeviceVectors.bytes(roomRow, room.dimension())),
                        output.plus(DeviceVectors.bytes(from - first, room.dimension())),
                        DeviceVectors.bytes(to - from, room.dimension()));
            }
        }
    }

    private Running startTokens(CudaEncoder.Task task, OutputRequest.Tokens request, int slot) {
        PackedBatch batch = task.batch();
        BatchInputs inputs = upload(batch, LaunchGraphs.exactly(batch), false, slot);
        DevicePointer output = working.outputs(slot);
        int width = spec.hiddenSize();
        int tokensAtOnce = working.activations().outputFloats() / width / ROWS_TOGETHER * ROWS_TOGETHER;
        int perLayer = Math.multiplyExact(batch.tokens(), width);
        float[] vectors =
                new float[Math.multiplyExact(perLayer, request.layers().size())];
        working.program().run(inputs, false, (layer, hidden, rows) -> {
            for (int place = 0; place < request.layers().size(); place++) {
                if (request.layers().get(place) != layer) {
                    continue;
                }
                for (int first = 0; first < batch.tokens(); first += tokensAtOnce) {
                    int tokens = Math.min(tokensAtOnce, batch.tokens() - first);
                    long from = (long) first * rows.stride() * rows.type().bytes();
                    kernels.tokensToFp32(
                            new Kernels.Rows(rows.type(), rows.count(), tokens, rows.width(), rows.stride()),
                            output,
                            hidden.plus(from));
                    fetch(slot, vectors, place * perLayer + first * width, tokens * width);
                }
            }
        });
        return new Running(task, slot, width, vectors.length, Optional.of(vectors));
    }

    private BatchInputs upload(PackedBatch batch, LaunchGraphs.Bounds bounds, boolean lastTokens, int slot) {
        BatchInputs inputs = new BatchInputs(
                working.inputs(slot),
                bounds.tokens(),
                bounds.rows(),
                bounds.longest(),
                working.program().queriesPerItem(bounds.longest()),
                RotaryAngles.byBatch(spec));
        inputs.write(batch, lastTokens, working.slot(slot).inputs());
        copyIn.upload(inputs.base(), working.slot(slot).inputs(), 0, inputs.bytes());
        working.slot(slot).uploaded().record(copyIn);
        compute.waitFor(working.slot(slot).uploaded());
        return inputs;
    }

    private void download(int slot, int numbers) {
        working.slot(slot).computed().record(compute);
        copyOut.waitFor(working.slot(slot).computed());
        copyOut.download(working.slot(slot).outputs(), 0, working.outputs(slot), (long) numbers * Float.BYTES);
        working.slot(slot).downloaded().record(copyOut);
    }

    /** Copies a piece out and waits for it: for outputs larger than their place. */
    private void fetch(int slot, float[] target, int at, int numbers) {
        download(slot, numbers);
        working.slot(slot).downloaded().synchronize();
        outputs(slot).get(target, at, numbers);
    }

    private FloatBuffer outputs(int slot) {
        return working.slot(slot).outputs().buffer().asFloatBuffer();
    }

    /**
     * Waits for a batch.
     *
     * @param batch the oldest that is running
     * @return its vectors, in host memory
     */
    VectorBlock finish(Running batch) {
        float[] vectors = batch.early().orElseGet(() -> {
            working.slot(batch.slot()).downloaded().synchronize();
            float[] values = new float[batch.numbers()];
            outputs(batch.slot()).get(values);
            return values;
        });
        return new HostVectors(batch.dimension(), FloatBuffer.wrap(vectors));
    }

    /** Waits for all that is queued, whatever comes of it: behind a failure, nobody may still write to the slots. */
    void settle() {
        for (CudaStream stream : new CudaStream[] {copyIn, compute, copyOut}) {
            try {
                stream.synchronize();
            } catch (CudaException e) {
                LOG.debug("A stream ended with an error", e);
            }
        }
    }

    @Override
    public void close() {
        settle();
        working.close();
        resources.close();
    }
}
