// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;

/**
 * The angles of a rotary embedding, as tables of cosines and sines.
 *
 * <p>Models are trained with what PyTorch computes in fp32: frequencies rounded to fp32, and their products with the
 * position too. At position 8000 that rounding is 5e-4 of a turn's radian, so exact angles would be another model; here
 * every rounding stands where transformers' {@code compute_default_rope_parameters} has it.
 *
 * @param cosines [positions, rotaryDimension / 2]
 * @param sines [positions, rotaryDimension / 2]
 */
@SuppressWarnings("ArrayRecordComponent") // written once, handed to a device
public record RotaryAngles(float[] cosines, float[] sines) {

    /**
     * Computes the tables.
     *
     * @param rotary the rotation
     * @param positions how many positions are wanted
     * @throws UnsupportedModelException if the scaling depends on the length of the text
     */
    public static RotaryAngles of(RotarySpec rotary, int positions) {
        int pairs = rotary.rotaryDimension() / 2;
        float[] frequencies = frequencies(rotary);
        float[] cosines = new float[Math.multiplyExact(positions, pairs)];
        float[] sines = new float[cosines.length];
        for (int position = 0; position < positions; position++) {
            for (int pair = 0; pair < pairs; pair++) {
                float angle = position * frequencies[pair];
                cosines[position * pairs + pair] = (float) Math.cos(angle);
                sines[position * pairs + pair] = (float) Math.sin(angle);
            }
        }
        return new RotaryAngles(cosines, sines);
    }

    private static float[] frequencies(RotarySpec rotary) {
        if (rotary.scaling() instanceof RopeScaling.Dynamic) {
            throw new UnsupportedModelException(
                    "This version does not run models with " + rotary.scaling() + ": its angles depend on the text.");
        }
        float[] frequencies = new float[rotary.rotaryDimension() / 2];
        for (int pair = 0; pair < frequencies.length; pair++) {
            float exponent = 2f * pair / rotary.rotaryDimension();
            frequencies[pair] = 1 / (float) Math.pow(rotary.theta(), exponent);
            if (rotary.scaling() instanceof RopeScaling.Linear linear) {
                frequencies[pair] /= (float) linear.factor();
            }
        }
        return frequencies;
    }
}
