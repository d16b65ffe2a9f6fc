// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.IndexOptions;
import io.embed4j.spi.IndexSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** A process that adds to an index, deletes from it and saves it without end, and says after each save how many there were. */
final class AppendingProcess {
    static final int DIMENSION = 16;
    static final int BATCH = 50;

    private AppendingProcess() {}

    /**
     * Runs until it is killed.
     *
     * @param args the index's directory
     */
    public static void main(String[] args) {
        Path directory = Path.of(args[0]);
        DefaultVectorIndex index = Files.exists(directory.resolve("manifest.json"))
                ? load(directory)
                : new DefaultVectorIndex(
                        new PlainIndexShard(IndexSpec.exact(DIMENSION)), IndexOptions.defaults(), () -> {});
        System.out.println(index.rows() / BATCH);
        while (true) {
            int batch = index.rows() / BATCH;
            float[][] rows = new float[BATCH][];
            for (int i = 0; i < BATCH; i++) {
                rows[i] = row(batch * BATCH + i);
            }
            index.add(rows);
            if (batch > 0) {
                index.delete((batch - 1) * (long) BATCH);
            }
            index.save(directory);
            System.out.println(batch + 1);
        }
    }

    static DefaultVectorIndex load(Path directory) {
        return DefaultVectorIndex.load(
                SavedIndex.open(directory),
                new PlainIndexShard(IndexSpec.exact(DIMENSION)),
                IndexOptions.defaults(),
                () -> {});
    }

    /** What row has what number. */
    static float[] row(int number) {
        Random random = new Random(number);
        float[] row = new float[DIMENSION];
        for (int i = 0; i < DIMENSION; i++) {
            row[i] = (float) random.nextGaussian();
        }
        return row;
    }
}
