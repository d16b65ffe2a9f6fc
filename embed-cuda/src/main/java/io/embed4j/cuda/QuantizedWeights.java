// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.Precision;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.MemoryPlan;

/**
 * What an encoder would need with the matrices of its layers in 8 or 4 bits: for plans only, no kernel reads them yet.
 * Rows are cut into groups; each group has a scale in fp16, and in 4 bits a smallest value beside it. Everything else is
 * as in fp16, and so are activations. A batch that is large enough for tensor cores wants its matrix in fp16, so there is
 * room to unpack the largest one.
 *
 * @param bits of a number
 * @param groupSize numbers that share a scale
 * @param bytesPerGroup of the scale and what goes with it
 */
record QuantizedWeights(int bits, int groupSize, int bytesPerGroup) {
    private static final int GROUP = 128;
    private static final int HALF = 2;

    static QuantizedWeights of(Precision precision) {
        return precision == Precision.INT4
                ? new QuantizedWeights(4, GROUP, 2 * HALF)
                : new QuantizedWeights(8, GROUP, HALF);
    }

    /** The plan in fp16, less the matrices in fp16, plus those in integers and the room for one. */
    MemoryPlan plan(EncoderSpec spec, EncoderOptions options, int computeCapability) {
        MemoryPlan whole = EncoderArena.plan(spec, options.withPrecision(Precision.FP16), computeCapability)
                .memoryPlan();
        long halfBytes = 0;
        long packedBytes = 0;
        long largest = 0;
        for (WeightShape shape : spec.weightShapes()) {
            if (shape.role().perLayer() && shape.shape().size() == 2) {
                halfBytes += HALF * shape.elements();
                packedBytes += packedBytes(shape.shape().get(0), shape.shape().get(1));
                largest = Math.max(largest, HALF * shape.elements());
            }
        }
        return new MemoryPlan(
                whole.weightBytes() - halfBytes + packedBytes,
                whole.activationBytes(),
                whole.workspaceBytes() + largest,
                whole.stagingBytes());
    }

    private long packedBytes(int rows, int columns) {
        int groups = (columns + groupSize - 1) / groupSize;
        return (long) rows * ((long) columns * bits / Byte.SIZE + (long) groups * bytesPerGroup);
    }
}
