// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spi.PackedBatch;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The angles of a rotary embedding, as tables of cosines and sines.
 *
 * <p>Models are trained with what PyTorch computes in fp32: frequencies rounded to fp32, and their products with the
 * position too. At position 8000 that rounding is 5e-4 of a turn's radian, so exact angles would be another model; here
 * every rounding stands where transformers' {@code modeling_rope_utils.py} has it.
 *
 * <p>Usually a row is a position. Under dynamic scaling angles depend on the text's length too, so there is a table per batch,
 * and a row is a token. transformers then takes the length of the longest text of the batch; we take each text's own, which
 * is what transformers does with a text alone, and does not depend on batch-mates.
 *
 * @param cosines [rows, rotaryDimension / 2]
 * @param sines [rows, rotaryDimension / 2]
 */
@SuppressWarnings("ArrayRecordComponent") // written once, handed to a device
public record RotaryAngles(float[] cosines, float[] sines) {

    /** Whether angles depend on the text's length, so that {@link #ofBatch} is wanted. */
    public static boolean dependOnLength(RotarySpec rotary) {
        return rotary.scaling() instanceof RopeScaling.Dynamic;
    }

    /**
     * The rotation of a model whose angles each batch has to bring along.
     *
     * @return the rotation, empty where tables by position serve
     * @throws UnsupportedModelException if the model has other rotations beside it: tokens would need rows in both tables
     */
    public static Optional<RotarySpec> byBatch(EncoderSpec spec) {
        Set<RotarySpec> rotations = spec.layers().stream()
                .flatMap(layer -> layer.attention().rotary().stream())
                .collect(Collectors.toSet());
        Optional<RotarySpec> byBatch =
                rotations.stream().filter(RotaryAngles::dependOnLength).findFirst();
        if (byBatch.isPresent() && rotations.size() > 1) {
            throw new UnsupportedModelException("This version does not run models with several rotations, one of which"
                    + " depends on the text's length: " + byBatch.get().scaling() + ".");
        }
        return byBatch;
    }

    /**
     * Computes the tables by position.
     *
     * @param rotary a rotation that does not depend on the text's length
     * @param positions how many positions are wanted
     */
    public static RotaryAngles of(RotarySpec rotary, int positions) {
        if (dependOnLength(rotary)) {
            throw new IllegalArgumentException(rotary.scaling() + " has no table by position.");
        }
        RotaryAngles angles = empty(rotary, positions);
        angles.write(0, positions, frequencies(rotary, 0));
        return angles;
    }

    /**
     * Computes the tables by token.
     *
     * @param rotary the rotation
     * @param batch T tokens, whose positions count from 0 in each text
     * @return T rows
     */
    public static RotaryAngles ofBatch(RotarySpec rotary, PackedBatch batch) {
        RotaryAngles angles = empty(rotary, batch.tokens());
        Map<Integer, float[]> byLength = new HashMap<>();
        for (int row = 0; row < batch.rows(); row++) {
            int length = batch.length(row);
            angles.write(
                    batch.cuSeqLens()[row],
                    length,
                    byLength.computeIfAbsent(length, tokens -> frequencies(rotary, tokens)));
        }
        return angles;
    }

    private static RotaryAngles empty(RotarySpec rotary, int rows) {
        int numbers = Math.multiplyExact(rows, rotary.rotaryDimension() / 2);
        return new RotaryAngles(new float[numbers], new float[numbers]);
    }

    /** Positions 0 to count - 1, from a row on. */
    private void write(int firstRow, int count, float[] frequencies) {
        int pairs = frequencies.length;
        for (int position = 0; position < count; position++) {
            for (int pair = 0; pair < pairs; pair++) {
                float angle = position * frequencies[pair];
                int at = (firstRow + position) * pairs + pair;
                cosines[at] = (float) Math.cos(angle);
                sines[at] = (float) Math.sin(angle);
            }
        }
    }

    private static float[] frequencies(RotarySpec rotary, int textLength) {
        double theta = rotary.theta();
        if (rotary.scaling() instanceof RopeScaling.Dynamic dynamic && textLength > dynamic.trainedPositions()) {
            int size = rotary.rotaryDimension();
            float stretch =
                    (float) dynamic.factor() * textLength / dynamic.trainedPositions() - (float) (dynamic.factor() - 1);
            theta = (float) theta * (float) Math.pow(stretch, (float) (size / (size - 2.0)));
        }
        float[] frequencies = new float[rotary.rotaryDimension() / 2];
        for (int pair = 0; pair < frequencies.length; pair++) {
            float exponent = 2f * pair / rotary.rotaryDimension();
            frequencies[pair] = 1 / (float) Math.pow(theta, exponent);
            if (rotary.scaling() instanceof RopeScaling.Linear linear) {
                frequencies[pair] /= (float) linear.factor();
            }
        }
        return frequencies;
    }
}
