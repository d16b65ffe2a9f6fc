// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import java.util.ArrayList;
import java.util.List;

/** Gives each text the vector [length, NaN]. */
public final class FakeRival implements Rival {
    static final String REFUSED = "refuse me";
    static final String DROPPED = "drop me";

    /** Texts of each call. */
    final List<Integer> calls = new ArrayList<>();

    boolean closed;

    @Override
    public String engine() {
        return "fake 1.0";
    }

    @Override
    public float[][] embed(List<String> texts) {
        calls.add(texts.size());
        if (texts.contains(REFUSED)) {
            throw new IllegalArgumentException("refused");
        }
        return texts.stream()
                .filter(text -> !text.equals(DROPPED))
                .map(text -> new float[] {text.length(), Float.NaN})
                .toArray(float[][]::new);
    }

    @Override
    public void close() {
        closed = true;
    }
}
