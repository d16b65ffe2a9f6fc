// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.Kernel;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.cuda.driver.KernelArguments;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.spec.Activation;
import io.embed4j.spec.DType;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.RotarySpec;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One launch method for each kernel under native/kernels; the shapes stand there, above each kernel.
 *
 * <p>Grids are sized by upper bounds ({@code rows}, {@code blocks}); how many rows there are is read by the kernel from
 * device memory ({@code count}, {@code shape}), so that a recorded launch serves any smaller batch. S is the storage
 * type. Not thread-safe: the launches of one instance share their argument table.
 */
final class Kernels implements AutoCloseable {
    /** Pooling mode of rows that were gathered before: there is nothing left to pool. */
    static final int POOLED_ALREADY = 6;

    private static final int BLOCK = 128;
    private static final int ROWS_PER_BLOCK = BLOCK / 32;
    private static final int ELEMENTWISE_BLOCK = 256;
    private static final int ELEMENTS_PER_THREAD = 8;

    private final KernelModule module;
    private final CudaStream stream;
    private final KernelArguments arguments;

    Kernels(CudaContext context, KernelModule module, CudaStream stream) {
        this.module = module;
        this.stream = stream;
        this.arguments = new KernelArguments(context);
    }

    /**
     * A norm as kernels take it.
     *
     * @param spec which norm
     * @param gain [width] fp32
     * @param bias [width] fp32, null for none
     */
    record Norm(NormSpec spec, DevicePointer gain, @Nullable DevicePointer bias) {}

    /**
     * Rows of a matrix that holds tokens or texts.
     *
     * @param type S
     * @param count address of the number of rows
     * @param bound no more rows than this
     * @param width columns in use
     * @param stride columns from row to row
     */
    record Rows(DType type, DevicePointer count, int bound, int width, int stride) {}

    private Kernel kernel(String name, DType type) {
        return module.kernel(name + "_" + type.name().toLowerCase(Locale.ROOT));
    }

    private static Grid warpPerRow(int rows) {
        return Grid.of(ceilDiv(rows, ROWS_PER_BLOCK), BLOCK);
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    private void addNorm(@Nullable Norm norm) {
        if (norm == null) {
            arguments
                    .add((DevicePointer) null)
                    .add((DevicePointer) null)
                    .add(0f)
                    .add(false);
        } else {
            arguments
                    .add(norm.gain())
                    .add(norm.bias())
                    .add((float) norm.spec().epsilon())
                    .add(norm.spec().kind() == NormSpec.Kind.RMS_NORM);
        }
    }

    /** out = norm(scale * token + position + type), S [T, width]. */
    void embeddingGatherNorm(
            Rows rows,
            DevicePointer out,
            BatchInputs inputs,
            DevicePointer tokenTable,
            @Nullable DevicePointer positionTable,
            @Nullable DevicePointer typeTable,
            float scale,
            @Nullable Norm norm) {
        arguments
                .begin()
                .add(out)
                .add(rows.count())
                .add(inputs.tokenIds())
                .add(inputs.typeIds())
                .add(inputs.positions())
                .add(tokenTable)
                .add(positionTable)
                .add(typeTable)
                .add(scale);
        addNorm(norm);
        arguments.add(rows.width()).add(rows.stride());
        kernel("embedding_gather_norm", rows.type()).launch(stream, warpPerRow(rows.bound()), arguments);
    }

    /** sum = x + bias + residual; normed = norm(sum). What is null is left out. */
    void residualNorm(
            Rows rows,
            @Nullable DevicePointer sum,
            @Nullable DevicePointer normed,
            DevicePointer x,
            @Nullable DevicePointer bias,
            @Nullable DevicePointer residual,
            @Nullable Norm norm) {
        arguments
                .begin()
                .add(sum)
                .add(normed)
                .add(rows.count())
                .add(x)
                .add(bias)
                .add(residual);
        addNorm(norm);
        arguments.add(rows.width()).add(rows.stride());
        kernel("residual_norm", rows.type()).launch(stream, warpPerRow(rows.bound()), arguments);
    }

    /**
     * What happens to queries and keys before attention, if anything but a bias does.
     *
     * @param bias [(A + K) * P], null for none
     * @param rotary how heads are rotated, null for not at all
     * @param cosines [positions, rotaryDimension / 2], null where each batch brings its own
     * @param sines [positions, rotaryDimension / 2]
     * @param queryNorm norm of each query, null for none
     * @param keyNorm norm of each key
     */
    record HeadPreparation(
            @Nullable DevicePointer bias,
            @Nullable RotarySpec rotary,
            @Nullable DevicePointer cosines,
            @Nullable DevicePointer sines,
            @Nullable Norm queryNorm,
            @Nullable Norm keyNorm) {

        /** With the batch's own angles, where it brings some. */
        HeadPreparation with(BatchInputs inputs) {
            return inputs.rotary().isEmpty()
                    ? this
                    : new HeadPreparation(bias, rotary, inputs.cosines(), inputs.sines(), queryNorm, keyNorm);
        }
    }

    /** Adds the bias, normalizes and rotates heads of queries and keys in place, S [T, (A + 2K) * P]. */
    void queryKeyBiasRotary(
            DType type, DevicePointer qkv, BatchInputs inputs, HeadPreparation preparation, AttentionShape shape) {
        RotarySpec rotary = preparation.rotary();
        Norm queryNorm = preparation.queryNorm();
        arguments
                .begin()
                .add(qkv)
                .add(inputs.tokenCount())
                .add(preparation.bias())
                .add(inputs.positions())
                .add(preparation.cosines())
                .add(preparation.sines())
                .add(rotary == null ? 0 : rotary.rotaryDimension())
                .add(rotary != null && rotary.pairing() == RotarySpec.Pairing.NEIGHBOURS)
                .add(queryNorm == null ? null : queryNorm.gain())
                .add(
                        preparation.keyNorm() == null
                                ? null
                                : preparation.keyNorm().gain())
                .add(queryNorm == null ? 0f : (float) queryNorm.spec().epsilon())
                .add(shape.heads())
                .add(shape.keyValueHeads())
                .add(shape.headSize())
                .add(shape.headStride());
        int heads = shape.heads() + shape.keyValueHeads();
        int lanes = inputs.tokenBound() * heads * lanesPerHead(shape.headStride());
        kernel("query_key_bias_rotary", type).launch(stream, Grid.of(ceilDiv(lanes, BLOCK), BLOCK), arguments);
    }

    /** In query_key_bias_rotary a lane holds 8 numbers; as many lanes as a power of two has belong to a head. */
    static int lanesPerHead(int headStride) {
        return Integer.highestOneBit(2 * ceilDiv(headStride, ELEMENTS_PER_THREAD) - 1);
    }

    /**
     * The sizes of attention.
     *
     * @param heads A
     * @param keyValueHeads K
     * @param headSize numbers of a head
     * @param headStride P, numbers from head to head
     */
    record AttentionShape(int heads, int keyValueHeads, int headSize, int headStride) {}

    /**
     * How scores are made and which of them count.
     *
     * @param scale factor on q k
     * @param softcap 0 for none
     * @param causal whether later keys are hidden
     * @param window farthest key in tokens, -1 for all
     * @param distanceBias [A, 2 * biasReach + 1], null for none
     * @param biasReach largest distance in the table
     * @param alibiSlopes [A], null for none
     */
    record Scores(
            float scale,
            float softcap,
            boolean causal,
            int window,
            @Nullable DevicePointer distanceBias,
            int biasReach,
            @Nullable DevicePointer alibiSlopes) {}

    /**
     * out = softmax(scores) v for every row of the batch, S [T, A * P].
     *
     * @param qkv [T, (A + 2K) * P]
     * @param queryBias [A * P] fp32, added to queries first; null for none
     */
    void attention(
            AttentionKernel kernel,
            DevicePointer out,
            DevicePointer qkv,
            @Nullable DevicePointer queryBias,
            BatchInputs inputs,
            Scores scores,
            AttentionShape shape) {
        arguments
                .begin()
                .add(out)
                .add(qkv)
                .add(queryBias)
                .add(inputs.shape())
                .add(inputs.cuSeqLens())
                .add(inputs.work())
                .add(scores.distanceBias())
                .add(scores.biasReach())
                .add(scores.alibiSlopes())
                .add(scores.scale())
                .add(scores.softcap())
                .add(scores.causal())
                .add(scores.window())
                .add(shape.heads())
                .add(shape.keyValueHeads())
                .add(shape.headStride());
        Grid grid = new Grid(inputs.workBound(), shape.heads(), kernel.threads(), 1, kernel.sharedBytes());
        module.kernel(kernel.name()).launch(stream, grid, arguments);
    }

    /** x = activation(x + bias), or activation(gate + bias) * (up + bias) into the gate's place. */
    void feedForwardActivation(
            Rows rows, DevicePointer x, @Nullable DevicePointer bias, Activation activation, boolean gated) {
        arguments
                .begin()
                .add(x)
                .add(rows.count())
                .add(bias)
                .add(code(activation))
                .add(gated)
                .add(rows.width())
                .add(rows.stride());
        long threads = (long) rows.bound() * rows.width() / ELEMENTS_PER_THREAD;
        int blocks = Math.toIntExact((threads + ELEMENTWISE_BLOCK - 1) / ELEMENTWISE_BLOCK);
        kernel("feed_forward_activation", rows.type()).launch(stream, Grid.of(blocks, ELEMENTWISE_BLOCK), arguments);
    }

    /** The number that feed_forward_activation.cu gives a function. */
    private static int code(Activation activation) {
        return switch (activation) {
            case IDENTITY -> 0;
            case GELU_ERF -> 1;
            case GELU_TANH -> 2;
            case RELU -> 3;
            case SILU -> 4;
            case TANH -> 5;
            case SIGMOID -> 6;
        };
    }

    /** The number that pool_rows.cu gives a mode. */
    static int code(PoolingMode mode) {
        return switch (mode) {
            case CLS -> 0;
            case MEAN -> 1;
            case MAX -> 2;
            case MEAN_SQRT_LENGTH -> 3;
            case WEIGHTED_MEAN -> 4;
            case LAST_TOKEN -> 5;
        };
    }

    /** out[r] = in[index[r]], S. */
    void gatherRows(Rows rows, DevicePointer out, DevicePointer in, DevicePointer index) {
        arguments.begin().add(out).add(rows.count()).add(in).add(index).add(rows.stride());
        kernel("gather_rows", rows.type()).launch(stream, warpPerRow(rows.bound()), arguments);
    }

    /**
     * Pools each text's tokens, fp32 [B, outStride].
     *
     * @param texts the rows of {@code hidden} as tokens or as gathered texts; bound = number of texts
     * @param firstText texts before it are passed over
     * @param mode from {@link #code(PoolingMode)}, or {@link #POOLED_ALREADY}
     */
    void poolRows(
            Rows texts,
            DevicePointer out,
            BatchInputs inputs,
            int firstText,
            DevicePointer hidden,
            int mode,
            int outStride,
            int outOffset,
            int dimension,
            boolean normalize) {
        long skipped = (long) firstText * Integer.BYTES;
        arguments
                .begin()
                .add(out)
                .add(inputs.shape())
                .add(hidden)
                .add(inputs.cuSeqLens().plus(skipped))
                .add(inputs.poolStarts().plus(skipped))
                .add(mode)
                .add(texts.width())
                .add(texts.stride())
                .add(outStride)
                .add(outOffset)
                .add(dimension)
                .add(normalize);
        kernel("pool_rows", texts.type()).launch(stream, Grid.of(texts.bound(), BLOCK), arguments);
    }

    /** The first numbers of each row, of unit length if wanted, fp32 [B, dimension]. */
    void normalizeRows(
            DevicePointer count,
            int bound,
            DevicePointer out,
            DevicePointer in,
            int inStride,
            int dimension,
            boolean normalize) {
        arguments
                .begin()
                .add(out)
                .add(count)
                .add(in)
                .add(inStride)
                .add(dimension)
                .add(normalize);
        module.kernel("normalize_rows").launch(stream, warpPerRow(bound), arguments);
    }

    /** S [T, stride] to fp32 [T, width]. */
    void tokensToFp32(Rows rows, DevicePointer out, DevicePointer in) {
        arguments.begin().add(out).add(rows.count()).add(in).add(rows.width()).add(rows.stride());
        kernel("tokens_to_fp32", rows.type()).launch(stream, warpPerRow(rows.bound()), arguments);
    }

    /** Converts a matrix into its place among zeros; see the kernel for how groups are spread. */
    void convertPad(
            DType from,
            DType to,
            DevicePointer out,
            DevicePointer in,
            int rows,
            int columns,
            boolean transposed,
            Spread spread) {
        arguments
                .begin()
                .add(out)
                .add(in)
                .add(rows)
                .add(columns)
                .add(transposed)
                .add(spread.rowGroup())
                .add(spread.rowGroupPadded())
                .add(spread.columnGroup())
                .add(spread.columnGroupPadded())
                .add(spread.stride());
        Grid grid = new Grid(ceilDiv(columns, 32), ceilDiv(rows, 8), 32, 8, 0);
        kernel("convert_pad_" + from.name().toLowerCase(Locale.ROOT), to).launch(stream, grid, arguments);
    }

    /**
     * How a matrix is laid among padding: each group of rows or columns gets room for its padded size.
     *
     * @param rowGroup rows that stay together
     * @param rowGroupPadded rows from group to group
     * @param columnGroup columns that stay together
     * @param columnGroupPadded columns from group to group
     * @param stride columns from row to row in the target
     */
    record Spread(int rowGroup, int rowGroupPadded, int columnGroup, int columnGroupPadded, int stride) {}

    @Override
    public void close() {
        arguments.close();
    }
}
