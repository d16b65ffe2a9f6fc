// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.Gemm;
import io.embed4j.cuda.driver.Kernel;
import io.embed4j.cuda.driver.Kernel.Grid;
import io.embed4j.cuda.driver.KernelArguments;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.cuda.driver.Matrix;
import io.embed4j.spec.DType;
import java.util.Locale;
import java.util.Optional;
import jcuda.driver.CUdevice_attribute;
import org.jspecify.annotations.Nullable;

/**
 * One launch method for each kernel of exact top-k, and which of them scans for how many queries. As {@link Kernels}, whose
 * conventions hold here: S is the storage type, the shapes stand above each kernel. Not thread-safe.
 */
final class TopkKernels implements AutoCloseable {
    /** Rows that a warp scans at a time, a word of a filter. */
    static final int TILE_ROWS = 32;

    /** From here on fp16 and bf16 rows are scanned on tensor cores. */
    private static final int FIRST_WITH_TENSOR_CORE_SCAN = 80;

    private static final int[] QUERIES_ON_TENSOR_CORES = {8, 16, 32, 64, 128};
    private static final int[] QUERIES_PLAIN = {1, 8};
    private static final int SCAN_BLOCK = 256;
    private static final int BLOCKS_PER_MULTIPROCESSOR = 2;
    private static final int ROW_BLOCK = 128;
    private static final int ROWS_PER_BLOCK = 4;
    private static final int GATHERED_BYTES = 16;
    private static final int COMPACT_BLOCK = 512;
    private static final int FILTER_COLUMNS_PER_BLOCK = 1024;
    private static final int MAX_SHARED_BYTES_WITHOUT_ASKING = 48 * 1024;
    private static final double GOLDEN_SECTION = 0.6180339887498949;

    private final KernelModule module;
    private final CudaStream stream;
    private final KernelArguments arguments;
    private final int computeCapability;
    private final int multiprocessors;
    private final int maxSharedBytes;

    TopkKernels(CudaContext context, KernelModule module, CudaStream stream) {
        this.module = module;
        this.stream = stream;
        this.computeCapability = context.computeCapability();
        this.multiprocessors = context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        this.maxSharedBytes =
                context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        this.arguments = new KernelArguments(context);
    }

    /**
     * Lists of candidates on the device.
     *
     * @param queries Q
     * @param keys [Q, capacity], 8 bytes each
     * @param capacity of each list
     * @param counts [Q] int
     * @param limits [Q] fp32
     * @param lost [Q] int
     * @param margins [Q] fp32
     */
    record Lists(
            int queries,
            DevicePointer keys,
            int capacity,
            DevicePointer counts,
            DevicePointer limits,
            DevicePointer lost,
            DevicePointer margins) {}

    /**
     * Consecutive rows of the corpus as a launch sees them.
     *
     * @param values S [rows, stride]
     * @param firstRow number of the first
     * @param rows how many
     * @param filter a bit per row, null for all
     */
    record Rows(
            DevicePointer values,
            int firstRow,
            int rows,
            @Nullable DevicePointer filter) {
        int tiles() {
            return ceilDiv(rows, TILE_ROWS);
        }
    }

    /**
     * A kernel that computes scores and appends candidates in one.
     *
     * @param kernel its name
     * @param sharedBytes shared memory of a block
     */
    record Scan(String kernel, int sharedBytes) {}

    private static int ceilDiv(int dividend, int divisor) {
        return (int) (((long) dividend + divisor - 1) / divisor);
    }

    private static String name(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    /** Whether products of this type are summed on tensor cores, here or by cuBLAS. */
    static boolean onTensorCores(DType type) {
        return type != DType.FP32;
    }

    /**
     * The kernel that scans rows once for so many queries.
     *
     * @param type S
     * @param queries Q
     * @param stride of rows and queries
     * @return empty if there are too many, or they are too wide for shared memory: then a matrix product is better
     */
    Optional<Scan> scan(DType type, int queries, int stride) {
        boolean tensorCores = type != DType.FP32 && computeCapability >= FIRST_WITH_TENSOR_CORE_SCAN;
        for (int fitting : tensorCores ? QUERIES_ON_TENSOR_CORES : QUERIES_PLAIN) {
            if (fitting >= queries) {
                String kernel = (tensorCores ? "topk_scan_mma_" : "topk_scan_") + name(type) + "_q" + fitting;
                Scan scan = new Scan(kernel, sharedBytes(tensorCores, fitting, stride));
                return scan.sharedBytes() <= maxSharedBytes ? Optional.of(scan) : Optional.empty();
            }
        }
        return Optional.empty();
    }

    /** As the headers of topk_scan.cu and topk_scan_mma.cu say. */
    static int sharedBytes(boolean tensorCores, int queries, int stride) {
        if (!tensorCores) {
            return queries * (ceilDiv(stride, 32) * 32 + 1) * Float.BYTES;
        }
        int together = queries > 32 ? 2 : 4;
        int steps = ceilDiv(stride, 32 * together) * together;
        return (512 * steps + 32) * (queries / 8);
    }

    /**
     * The step that spreads any part of the order of tiles over all of them: about the golden section, and without divisor
     * in common with their number.
     */
    static int tileStep(int tiles) {
        int step = Math.max(1, (int) (tiles * GOLDEN_SECTION));
        while (greatestCommonDivisor(step, tiles) != 1) {
            step++;
        }
        return step;
    }

    private static int greatestCommonDivisor(int a, int b) {
        return b == 0 ? a : greatestCommonDivisor(b, a % b);
    }

    /** Rows as they are given, fp32 [rows, dimension], into their place, S [rows, stride]. */
    void storeRows(
            DType type,
            DevicePointer out,
            DevicePointer largest,
            DevicePointer in,
            int rows,
            int dimension,
            int stride) {
        arguments.begin().add(out).add(largest).add(in).add(rows).add(dimension).add(stride);
        module.kernel("topk_store_rows_" + name(type))
                .launch(stream, Grid.of(ceilDiv(rows, ROWS_PER_BLOCK), ROW_BLOCK), arguments);
    }

    /** Appends the candidates among tiles [firstTile, endTile) of the order given by {@link #tileStep}. */
    void scan(Scan scan, Lists lists, Rows rows, int firstTile, int endTile, DevicePointer queries, int stride) {
        arguments
                .begin()
                .add(lists.keys())
                .add(lists.counts())
                .add(lists.capacity())
                .add(lists.limits())
                .add(rows.values())
                .add(rows.firstRow())
                .add(rows.filter())
                .add(rows.rows())
                .add(firstTile)
                .add(endTile)
                .add(tileStep(rows.tiles()))
                .add(queries)
                .add(lists.queries())
                .add(stride);
        Kernel kernel = module.kernel(scan.kernel());
        if (scan.sharedBytes() > MAX_SHARED_BYTES_WITHOUT_ASKING) {
            kernel.allowSharedBytes(scan.sharedBytes());
        }
        int blocks = Math.min(
                multiprocessors * BLOCKS_PER_MULTIPROCESSOR, ceilDiv(endTile - firstTile, SCAN_BLOCK / TILE_ROWS));
        kernel.launch(stream, new Grid(blocks, 1, SCAN_BLOCK, 1, scan.sharedBytes()), arguments);
    }

    /**
     * Appends the candidates among rows by way of a matrix product.
     *
     * @param gemm on the same stream
     * @param queries S [Q, stride]
     * @param scores room for fp32 [Q, rows rounded up to a multiple of 4]
     */
    void multiplyAndFilter(
            Gemm gemm, DType type, Lists lists, Rows rows, DevicePointer queries, int stride, DevicePointer scores) {
        int scoreStride = ceilDiv(rows.rows(), 4) * 4;
        gemm.multiply(
                type,
                Matrix.dense(queries, lists.queries(), stride),
                Matrix.dense(rows.values(), rows.rows(), stride),
                DType.FP32,
                new Matrix(scores, lists.queries(), rows.rows(), scoreStride));
        arguments
                .begin()
                .add(lists.keys())
                .add(lists.counts())
                .add(lists.capacity())
                .add(lists.limits())
                .add(scores)
                .add(rows.rows())
                .add(scoreStride)
                .add(rows.firstRow())
                .add(rows.filter());
        Grid grid = new Grid(ceilDiv(rows.rows(), FILTER_COLUMNS_PER_BLOCK), lists.queries(), SCAN_BLOCK, 1, 0);
        module.kernel("topk_filter").launch(stream, grid, arguments);
    }

    /** Raises limits and drops candidates below; {@code room} is what the next launch may append to a list. */
    void compact(Lists lists, int k, int room) {
        arguments
                .begin()
                .add(lists.keys())
                .add(lists.counts())
                .add(lists.limits())
                .add(lists.lost())
                .add(lists.margins())
                .add(lists.capacity())
                .add(k)
                .add(room);
        module.kernel("topk_compact").launch(stream, Grid.of(lists.queries(), COMPACT_BLOCK), arguments);
    }

    /** Brings all lists beside each other; offsets [Q] int, collected one int. */
    void collect(
            Lists lists, DevicePointer packed, int packedCapacity, DevicePointer offsets, DevicePointer collected) {
        arguments
                .begin()
                .add(packed)
                .add(offsets)
                .add(collected)
                .add(packedCapacity)
                .add(lists.keys())
                .add(lists.counts())
                .add(lists.capacity());
        module.kernel("topk_collect").launch(stream, Grid.of(lists.queries(), ROW_BLOCK), arguments);
    }

    /**
     * Where the pieces of a corpus lie, on the device.
     *
     * @param addresses [count] of fp32 [rows, stride]
     * @param firstRows [count] int
     * @param count how many
     * @param rows of all of them
     */
    record PieceTable(DevicePointer addresses, DevicePointer firstRows, int count, int rows) {}

    /** Float64 scores of what was collected, from fp32 rows. */
    void rescore(
            Lists lists,
            DevicePointer scores,
            DevicePointer packed,
            DevicePointer offsets,
            PieceTable pieces,
            DevicePointer queries,
            int dimension,
            int stride) {
        arguments
                .begin()
                .add(scores)
                .add(packed)
                .add(offsets)
                .add(lists.counts())
                .add(pieces.addresses())
                .add(pieces.firstRows())
                .add(pieces.count())
                .add(pieces.rows())
                .add(queries)
                .add(dimension)
                .add(stride);
        int blocks = Math.max(1, ceilDiv(multiprocessors, lists.queries()));
        module.kernel("topk_rescore").launch(stream, new Grid(blocks, lists.queries(), ROW_BLOCK, 1, 0), arguments);
    }

    /** Stored rows, S [rows, stride], to fp32 [rows, dimension]; {@code count} is the address of the number of rows. */
    void readRows(
            DType type, DevicePointer out, DevicePointer count, DevicePointer in, int rows, int dimension, int stride) {
        arguments.begin().add(out).add(count).add(in).add(dimension).add(stride);
        module.kernel("tokens_to_fp32_" + name(type))
                .launch(stream, Grid.of(ceilDiv(rows, ROWS_PER_BLOCK), ROW_BLOCK), arguments);
    }

    /** Whether rows of so many fp32 numbers can be gathered: they go 16 bytes at a time. */
    static boolean canGather(int dimension) {
        return dimension * Float.BYTES % GATHERED_BYTES == 0;
    }

    /**
     * out[r] = in[index[r]], fp32 rows without gaps.
     *
     * @param countAndIndex int32 [1 + rows]: rows, then index
     */
    void gather(DevicePointer out, DevicePointer countAndIndex, DevicePointer in, int rows, int dimension) {
        arguments
                .begin()
                .add(out)
                .add(countAndIndex)
                .add(in)
                .add(countAndIndex.plus(Integer.BYTES))
                .add(dimension);
        module.kernel("gather_rows_fp32").launch(stream, Grid.of(ceilDiv(rows, ROWS_PER_BLOCK), ROW_BLOCK), arguments);
    }

    @Override
    public void close() {
        arguments.close();
    }
}
