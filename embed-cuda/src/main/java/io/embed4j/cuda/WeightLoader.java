// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.ModelFormatException;
import io.embed4j.core.math.RotaryAngles;
import io.embed4j.core.math.WeightReader;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.PinnedMemory;
import io.embed4j.spec.AttentionBias;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.Map;

/**
 * Brings weights from their files to the device: slices of a file through pinned memory into the place of the
 * activations, which nobody uses yet, and from there by a kernel that converts and pads into the arena. Vectors and
 * computed tables are small and made on the host.
 */
final class WeightLoader implements AutoCloseable {
    /** Large enough for full bandwidth, small enough to be nothing beside a model. */
    private static final int STAGING_BYTES = 8 << 20;

    private final EncoderSpec spec;
    private final WeightSource source;
    private final WeightLayout layout;
    private final DevicePointer arena;
    private final DevicePointer stagingOnDevice;
    private final CudaStream stream;
    private final Kernels kernels;
    private final PinnedMemory staging;

    /**
     * Prepares loading.
     *
     * @param arena where the weights go
     * @param stagingOnDevice free device memory
     * @param stagingBytes its size
     */
    WeightLoader(
            CudaContext context,
            EncoderSpec spec,
            WeightSource source,
            WeightLayout layout,
            DevicePointer arena,
            DevicePointer stagingOnDevice,
            long stagingBytes,
            CudaStream stream,
            Kernels kernels) {
        this.spec = spec;
        this.source = source;
        this.layout = layout;
        this.arena = arena;
        this.stagingOnDevice = stagingOnDevice;
        this.stream = stream;
        this.kernels = kernels;
        this.staging = new PinnedMemory(context, (int) Math.min(STAGING_BYTES, stagingBytes));
    }

    /**
     * Loads all weights and waits for the last.
     *
     * @throws ModelFormatException if a file cannot be read
     */
    void load() {
        stream.clear(arena, layout.bytes());
        for (Map.Entry<WeightShape, WeightLayout.Placement> entry :
                layout.placements().entrySet()) {
            WeightShape shape = entry.getKey();
            if (shape.role() == WeightRole.ATTENTION_OUTPUT_BIAS) {
                AttentionSpec attention = spec.layers().get(shape.index()).attention();
                vector(AttentionBiases.ofOutput(attention, source, shape.index()), entry.getValue());
                continue;
            }
            WeightTensor tensor = source.get(shape.role(), shape.index());
            if (shape.shape().size() == 1) {
                vector(WeightReader.read(tensor), entry.getValue());
            } else if (tensor.type() == DType.FP64) {
                floats(WeightReader.read(tensor), shape, entry.getValue());
            } else {
                matrix(tensor, shape, entry.getValue());
            }
        }
        layout.rotaryTables().forEach(this::rotaryTable);
        distanceTable(spec.layers().get(0).attention());
        stream.synchronize();
    }

    private void vector(float[] values, WeightLayout.Placement placement) {
        Kernels.Spread spread = placement.spread();
        int groups = values.length / spread.columnGroup();
        float[] spreadValues = new float[groups * spread.columnGroupPadded()];
        for (int i = 0; i < values.length; i++) {
            int at = i / spread.columnGroup() * spread.columnGroupPadded() + i % spread.columnGroup();
            spreadValues[at] = (float) (values[i] + placement.gainOffset());
        }
        table(spreadValues, placement.offset());
    }

    /** fp32 numbers that are already as the device wants them. */
    private void table(float[] values, long offset) {
        int perSlice = staging.buffer().capacity() / Float.BYTES;
        for (int from = 0; from < values.length; from += perSlice) {
            int count = Math.min(perSlice, values.length - from);
            staging.buffer().asFloatBuffer().put(values, from, count);
            long at = offset + (long) from * Float.BYTES;
            stream.upload(arena.plus(at), staging, 0, (long) count * Float.BYTES);
            stream.synchronize();
        }
    }

    /** A matrix of numbers that no kernel reads from a file: fp64. */
    private void floats(float[] values, WeightShape shape, WeightLayout.Placement placement) {
        FloatBuffer all = FloatBuffer.wrap(values);
        int rows = shape.shape().get(0);
        int columns = shape.shape().get(1);
        slices(rows, placement.spread().rowGroup(), (long) columns * Float.BYTES, (first, count) -> {
            staging.buffer().asFloatBuffer().put(all.slice(first * columns, count * columns));
            convert(DType.FP32, placement, first, 0, count, columns, false, (long) count * columns * Float.BYTES);
        });
    }

    /** Slices along what is stored one behind the other: rows, or columns of a transposed matrix. */
    private void matrix(WeightTensor tensor, WeightShape shape, WeightLayout.Placement placement) {
        int rows = shape.shape().get(0);
        int columns = shape.shape().get(1);
        boolean transposed = tensor.transposed();
        int lines = transposed ? columns : rows;
        int group = transposed
                ? placement.spread().columnGroup()
                : placement.spread().rowGroup();
        long lineBytes = (long) (transposed ? rows : columns) * tensor.type().bytes();
        slices(lines, group, lineBytes, (first, count) -> {
            copyToStaging(tensor, first * lineBytes, count * lineBytes);
            convert(
                    tensor.type(),
                    placement,
                    transposed ? 0 : first,
                    transposed ? first : 0,
                    transposed ? rows : count,
                    transposed ? count : columns,
                    transposed,
                    count * lineBytes);
        });
    }

    @FunctionalInterface
    private interface Slice {
        void load(int first, int count);
    }

    /** Cuts lines into slices that fit the staging memory and end where groups end. */
    private void slices(int lines, int group, long lineBytes, Slice slice) {
        int fitting = Math.toIntExact(Math.min(lines, staging.buffer().capacity() / lineBytes));
        int perSlice = fitting - fitting % group;
        if (perSlice == 0) {
            throw new IllegalStateException("A slice of " + group + " lines of " + lineBytes
                    + " bytes does not fit the staging memory of "
                    + staging.buffer().capacity() + ".");
        }
        for (int first = 0; first < lines; first += perSlice) {
            slice.load(first, Math.min(perSlice, lines - first));
            // The next slice takes the same staging memory.
            stream.synchronize();
        }
    }

    private void copyToStaging(WeightTensor tensor, long offset, long bytes) {
        FileRegion region = tensor.region();
        try {
            new FileRegion(region.file(), region.offset() + offset, bytes).read(staging.buffer()::put);
        } catch (IOException e) {
            throw new ModelFormatException("Weight " + tensor.name() + " cannot be read: " + e.getMessage(), e);
        }
    }

    private void convert(
            DType from,
            WeightLayout.Placement placement,
            int firstRow,
            int firstColumn,
            int rows,
            int columns,
            boolean transposed,
            long bytes) {
        Kernels.Spread spread = placement.spread();
        long row = (long) firstRow / spread.rowGroup() * spread.rowGroupPadded();
        long column = (long) firstColumn / spread.columnGroup() * spread.columnGroupPadded();
        long at = placement.offset()
                + (row * spread.stride() + column) * placement.type().bytes();
        stream.upload(stagingOnDevice, staging, 0, bytes);
        kernels.convertPad(from, placement.type(), arena.plus(at), stagingOnDevice, rows, columns, transposed, spread);
    }

    /** Angles in fp64, rounded once. */
    private void rotaryTable(RotarySpec rotary, WeightLayout.RotaryTable table) {
        RotaryAngles angles = RotaryAngles.of(rotary, layout.positions());
        table(angles.cosines(), table.cosines());
        table(angles.sines(), table.sines());
    }

    /** What scores get by distance: the learned number of each bucket spread over distances, or slopes. */
    private void distanceTable(AttentionSpec attention) {
        if (attention.bias() instanceof AttentionBias.RelativeBuckets buckets) {
            float[] byBucket = WeightReader.read(source.get(WeightRole.RELATIVE_BIAS, 0));
            int reach = layout.biasReach();
            int distances = 2 * reach + 1;
            float[] byDistance = new float[attention.heads() * distances];
            for (int distance = -reach; distance <= reach; distance++) {
                for (int head = 0; head < attention.heads(); head++) {
                    byDistance[head * distances + distance + reach] =
                            byBucket[buckets.bucket(distance) * attention.heads() + head];
                }
            }
            table(byDistance, layout.distanceBiasOffset());
        } else if (attention.bias() instanceof AttentionBias.Alibi alibi) {
            float[] slopes = new float[attention.heads()];
            for (int head = 0; head < slopes.length; head++) {
                slopes[head] = alibi.slopes().get(head).floatValue();
            }
            table(slopes, layout.alibiOffset());
        }
    }

    @Override
    public void close() {
        staging.close();
    }
}
