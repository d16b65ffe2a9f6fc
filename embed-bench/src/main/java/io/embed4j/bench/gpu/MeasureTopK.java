// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import io.embed4j.core.device.Backends;
import io.embed4j.spec.DType;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.IndexShard;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Exact top-k of embed4j on unit vectors of random direction, stored in fp16: queries on the host to results on the host.
 * What does not fit into the device's memory is left out. While an index fills up, a search of one query and one of many tell how
 * time grows with the rows.
 */
final class MeasureTopK {
    private static final int[][] SIZES = {{1_000_000, 384}, {10_000_000, 384}, {10_000_000, 1024}};
    private static final int[][] SMALL_SIZES = {{20_000, 64}};
    private static final long SMALL_DEVICE_BYTES = 8L << 30;
    private static final int ROWS_TOGETHER = 50_000;
    private static final int RUNS = 5;
    private static final int MANY_QUERIES = 1024;

    /** An eighth, a quarter, a half and all rows are searched. */
    private static final int FIRST_PART = 8;

    private static final double MILLIS = 1e3;

    private MeasureTopK() {}

    /**
     * Measures.
     *
     * @param arguments the file of figures, device, seconds
     */
    public static void main(String[] arguments) throws IOException {
        List<String> all = List.of(arguments);
        Path rows = Path.of(all.get(0));
        Stopwatch stopwatch = new Stopwatch(Double.parseDouble(all.get(2)));
        DeviceId id = DeviceId.parse(all.get(1));
        try (Device device = Backends.find().provider(id).open(id)) {
            int[][] sizes = isSmall(device) ? SMALL_SIZES : SIZES;
            for (int[] size : sizes) {
                if (!stopwatch.isLate()) {
                    measure(device, size[0], size[1], stopwatch, rows);
                }
            }
        }
        System.exit(0);
    }

    /** Whether it is one to try the program on, such as the emulated one, rather than one to measure. */
    static boolean isSmall(Device device) {
        return device.memory().totalBytes() < SMALL_DEVICE_BYTES;
    }

    private static void measure(Device device, int count, int dimension, Stopwatch stopwatch, Path file)
            throws IOException {
        IndexSpec spec = new IndexSpec(dimension, DType.FP16, IndexSpec.Rescoring.EXACT);
        long bytes = device.planIndex(spec, count).device().totalBytes();
        if (bytes > device.memory().freeBytes()) {
            System.out.println(count + " x " + dimension + " left out: " + bytes + " bytes do not fit");
            return;
        }
        try (IndexShard shard = device.index(spec)) {
            int together = Math.min(ROWS_TOGETHER, count / FIRST_PART);
            for (int first = 0; first < count; first += together) {
                shard.add(unitVectors(Math.min(together, count - first), dimension, first));
                for (int part = 2; part <= FIRST_PART; part *= 2) {
                    if (shard.rows() == count / part) {
                        measure(shard, 1, 10, stopwatch, file);
                        measure(shard, MANY_QUERIES, 10, stopwatch, file);
                    }
                }
            }
            for (int queries : new int[] {1, 32, MANY_QUERIES}) {
                for (int k : new int[] {10, 100}) {
                    measure(shard, queries, k, stopwatch, file);
                }
            }
        }
    }

    private static void measure(IndexShard shard, int queries, int k, Stopwatch stopwatch, Path file)
            throws IOException {
        int dimension = shard.spec().dimension();
        FloatBuffer asked = unitVectors(queries, dimension, -queries);
        RowSelection everything = RowSelection.first(shard.rows());
        double seconds = stopwatch.medianSeconds(() -> shard.search(asked.duplicate(), k, everything), RUNS, 1);
        String load = shard.rows() + " x " + dimension + ", Q = " + queries + ", k = " + k;
        Row row = new Row(Row.EMBED4J, Row.TOP_K, load, "ms", MILLIS * seconds, null, "fp16", 0);
        row.append(file);
        System.out.println(row);
    }

    /** [count, dimension]; coordinates are uniform, which is random enough to time by. */
    private static FloatBuffer unitVectors(int count, int dimension, long seed) {
        float[] values = new float[count * dimension];
        IntStream.range(0, count).parallel().forEach(row -> {
            SplittableRandom random = new SplittableRandom(seed + row);
            double square = 0;
            for (int i = row * dimension; i < (row + 1) * dimension; i++) {
                values[i] = (float) (random.nextDouble() - 0.5);
                square += values[i] * values[i];
            }
            float factor = (float) (1 / Math.sqrt(square));
            for (int i = row * dimension; i < (row + 1) * dimension; i++) {
                values[i] *= factor;
            }
        });
        return FloatBuffer.wrap(values);
    }
}
