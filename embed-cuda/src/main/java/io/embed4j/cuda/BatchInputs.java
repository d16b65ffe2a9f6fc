// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.core.math.RotaryAngles;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.PinnedMemory;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spi.PackedBatch;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Where a batch lies in device memory, and for how large a batch launches are sized. All are int32:
 *
 * <pre>
 * shape      [4]   T, B, items of work, longest row
 * tokenIds   [T]
 * typeIds    [T]
 * positions  [T]
 * cuSeqLens  [B + 1]
 * poolStarts [B]
 * gathered   [B]   the token that stands for each text, for poolings that take one token
 * work       [W, 2] row and first query of each item, longest rows first
 * cosines    [T, R / 2] fp32, where angles depend on the lengths of texts; positions then are 0 to T - 1
 * sines      [T, R / 2] likewise
 * </pre>
 *
 * Sections are as far apart as the bounds say, not the batch, so that addresses in a recorded graph stay true.
 *
 * @param base where shape begins
 * @param tokenBound no more tokens than this
 * @param rowBound no more rows than this
 * @param longestBound no row is longer than this
 * @param queriesPerItem queries of one item of work
 * @param rotary the rotation whose angles depend on the lengths of texts, if there is one
 */
record BatchInputs(
        DevicePointer base,
        int tokenBound,
        int rowBound,
        int longestBound,
        int queriesPerItem,
        Optional<RotarySpec> rotary) {
    private static final int HEADER = 64;
    private static final int SECTION_MULTIPLE = 64;

    /** Sections of at most a token each, the worklist counted twice. */
    private static final int SECTIONS = 8;

    /**
     * Bytes for a batch of so many tokens.
     *
     * @param rotary the rotation whose angles depend on the lengths of texts, if there is one
     */
    static int bytes(int tokenBound, Optional<RotarySpec> rotary) {
        long numbers = HEADER + (long) section(tokenBound) * (SECTIONS + 2 * pairs(rotary));
        return Math.toIntExact(Integer.BYTES * numbers);
    }

    private static int pairs(Optional<RotarySpec> rotary) {
        return rotary.map(turn -> turn.rotaryDimension() / 2).orElse(0);
    }

    /** One more than the tokens, because cuSeqLens has an entry more than there are rows. */
    private static int section(int tokenBound) {
        return Math.toIntExact(ArenaLayout.roundUp(tokenBound + 1L, SECTION_MULTIPLE));
    }

    private DevicePointer sectionAt(long number) {
        return base.plus(Integer.BYTES * (HEADER + number * section(tokenBound)));
    }

    DevicePointer shape() {
        return base;
    }

    DevicePointer tokenCount() {
        return base;
    }

    DevicePointer rowCount() {
        return base.plus(Integer.BYTES);
    }

    DevicePointer tokenIds() {
        return sectionAt(0);
    }

    DevicePointer typeIds() {
        return sectionAt(1);
    }

    DevicePointer positions() {
        return sectionAt(2);
    }

    DevicePointer cuSeqLens() {
        return sectionAt(3);
    }

    DevicePointer poolStarts() {
        return sectionAt(4);
    }

    DevicePointer gathered() {
        return sectionAt(5);
    }

    DevicePointer work() {
        return sectionAt(6);
    }

    DevicePointer cosines() {
        return sectionAt(SECTIONS);
    }

    DevicePointer sines() {
        return sectionAt(SECTIONS + (long) pairs(rotary));
    }

    /** No more items of work than this: every row has at most one that is not full. */
    int workBound() {
        return Math.min(tokenBound, tokenBound / queriesPerItem + rowBound);
    }

    /** Bytes to upload. */
    int bytes() {
        return bytes(tokenBound, rotary);
    }

    /**
     * Writes a batch as the device wants it.
     *
     * @param batch within the bounds
     * @param lastTokens whether {@link #gathered()} are the last tokens, not the first that are pooled
     * @param target at least {@link #bytes()}
     */
    void write(PackedBatch batch, boolean lastTokens, PinnedMemory target) {
        IntBuffer ints = target.buffer().asIntBuffer();
        int section = section(tokenBound);
        int rows = batch.rows();
        int[] gathered = new int[rows];
        for (int row = 0; row < rows; row++) {
            gathered[row] =
                    lastTokens ? batch.cuSeqLens()[row + 1] - 1 : batch.cuSeqLens()[row] + batch.poolStarts()[row];
        }
        int[] work = work(batch);
        ints.put(0, new int[] {batch.tokens(), rows, work.length / 2, batch.longestRow()});
        int[] positions =
                rotary.isPresent() ? IntStream.range(0, batch.tokens()).toArray() : batch.positions();
        int[][] sections = {
            batch.tokenIds(), batch.typeIds(), positions, batch.cuSeqLens(), batch.poolStarts(), gathered, work
        };
        for (int i = 0; i < sections.length; i++) {
            ints.put(HEADER + i * section, sections[i]);
        }
        if (rotary.isPresent()) {
            RotaryAngles angles = RotaryAngles.ofBatch(rotary.get(), batch);
            FloatBuffer floats = target.buffer().asFloatBuffer();
            floats.put(HEADER + SECTIONS * section, angles.cosines());
            floats.put(HEADER + (SECTIONS + pairs(rotary)) * section, angles.sines());
        }
    }

    /** Blocks of long rows take longest and start first, so that they do not finish last. */
    private int[] work(PackedBatch batch) {
        Integer[] order = new Integer[batch.rows()];
        Arrays.setAll(order, row -> row);
        Arrays.sort(order, (a, b) -> Integer.compare(batch.length(b), batch.length(a)));
        IntBuffer items = IntBuffer.allocate(2 * workBound());
        for (int row : order) {
            for (int query = 0; query < batch.length(row); query += queriesPerItem) {
                items.put(row).put(query);
            }
        }
        return Arrays.copyOf(items.array(), items.position());
    }
}
