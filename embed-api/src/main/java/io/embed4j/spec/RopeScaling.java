// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * How a rotary embedding is stretched beyond the length it was trained for.
 *
 * <pre>{@code
 * RopeScaling twice = new RopeScaling.Linear(2.0);
 * if (RopeScaling.none().equals(twice)) throw new AssertionError();
 * }</pre>
 *
 * @since 0.1
 */
public sealed interface RopeScaling {

    /**
     * No scaling.
     *
     * @return the description of an unscaled rotary embedding
     */
    static RopeScaling none() {
        return new None();
    }

    /**
     * Positions and frequencies as they are.
     *
     * <pre>{@code
     * RopeScaling plain = new RopeScaling.None();
     * }</pre>
     */
    record None() implements RopeScaling {}

    /**
     * Positions divided by a factor.
     *
     * <pre>{@code
     * double factor = new RopeScaling.Linear(4.0).factor();
     * }</pre>
     *
     * @param factor how many times longer texts may be
     */
    record Linear(double factor) implements RopeScaling {}

    /**
     * Theta grown with the length of the text ("dynamic NTK").
     *
     * <pre>{@code
     * RopeScaling dynamic = new RopeScaling.Dynamic(2.0, 2048);
     * }</pre>
     *
     * @param factor growth per trained length
     * @param trainedPositions length in tokens up to which theta stays as it is
     */
    record Dynamic(double factor, int trainedPositions) implements RopeScaling {}
}
