// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The models that are compared; {@code peers.py} makes them, with random weights.
 *
 * <p>Gates and goals are those of an H200, times sentence-transformers in fp16 at its best batch size, and shares of the
 * time that the products alone would take at the rate of the 8192^3 product of the same run.
 */
enum Shape {
    MINILM(6, 384, 1536, 5, 10, 0.45, 0.60),
    BGE_BASE(12, 768, 3072, 2, 3, 0.58, 0.68),
    BGE_LARGE(24, 1024, 4096, 1.6, 2.2, 0.66, 0.74),
    BGE_SMALL(12, 384, 1536, Double.NaN, Double.NaN, Double.NaN, Double.NaN),
    /** To try the program itself. */
    TINY(2, 64, 128, Double.NaN, Double.NaN, Double.NaN, Double.NaN);

    private final int layers;
    private final int hidden;
    private final int inner;
    private final double textGate;
    private final double textGoal;
    private final double shareGate;
    private final double shareGoal;

    Shape(int layers, int hidden, int inner, double textGate, double textGoal, double shareGate, double shareGoal) {
        this.layers = layers;
        this.hidden = hidden;
        this.inner = inner;
        this.textGate = textGate;
        this.textGoal = textGoal;
        this.shareGate = shareGate;
        this.shareGoal = shareGoal;
    }

    /** As {@code peers.py} calls it. */
    String id() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /**
     * Reads a name.
     *
     * @throws IllegalArgumentException if there is no such shape; it lists them
     */
    static Shape parse(String id) {
        return Arrays.stream(values())
                .filter(shape -> shape.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("There is no shape \"" + id + "\". Use "
                        + Arrays.stream(values()).map(Shape::id).toList() + "."));
    }

    /** Those that are compared unless something else is asked for. */
    static List<Shape> standard() {
        return List.of(MINILM, BGE_BASE, BGE_LARGE, BGE_SMALL);
    }

    /** Operations for a token in a row of S tokens: 8 H^2 + 4 H F for the linear layers, 4 S H for attention, a layer. */
    double flopPerToken(int rowTokens) {
        return layers * (8.0 * hidden * hidden + 4.0 * hidden * inner + 4.0 * rowTokens * hidden);
    }

    /** What the ratio to sentence-transformers should be. */
    Target text() {
        return new Target(textGate, textGoal, true);
    }

    /** What the share of the products' rate should be. */
    Target share() {
        return new Target(shareGate, shareGoal, true);
    }

    /** Microseconds that one text of 16 tokens should take. */
    Target oneText() {
        return this == MINILM ? new Target(150, 70, false) : new Target(Double.NaN, Double.NaN, false);
    }

    /**
     * What was set for a figure.
     *
     * @param gate what it must reach; NaN where nothing was set
     * @param goal what it should reach
     * @param moreIsBetter whether to reach means not to be less
     */
    record Target(double gate, double goal, boolean moreIsBetter) {
        /** For instance "gate 5, goal 10: gate reached"; empty where nothing was set. */
        String verdict(double value) {
            if (Double.isNaN(gate)) {
                return "";
            }
            String reached =
                    reaches(value, goal) ? "goal reached" : reaches(value, gate) ? "gate reached" : "gate missed";
            return String.format(Locale.ROOT, "gate %s, goal %s: %s", text(gate), text(goal), reached);
        }

        private boolean reaches(double value, double limit) {
            return moreIsBetter ? value >= limit : value <= limit;
        }

        private static String text(double number) {
            return number == Math.rint(number) ? String.valueOf((long) number) : String.valueOf(number);
        }
    }
}
