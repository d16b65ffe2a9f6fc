// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import io.embed4j.bench.protocol.RivalClient;
import io.embed4j.bench.protocol.RivalException;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.Fixture;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How far a rival is from the reference in float64, over the texts of the fixture that have at most 128 tokens: many
 * scripts, control characters, code, special tokens spelled out. The error is the Euclidean distance of unit vectors.
 *
 * @param texts how many texts it embedded
 * @param refusedTexts how many it refused
 * @param refusal what it said to the first of them; empty if there is none
 * @param maxError error of the worst text
 * @param worstText the worst text's place in the fixture
 * @param medianError error of the text in the middle
 * @param minCosine cosine of the worst text
 */
record Accuracy(
        int texts,
        int refusedTexts,
        String refusal,
        double maxError,
        int worstText,
        double medianError,
        double minCosine) {
    private static final int MAX_TOKENS = 128;

    /** Has a rival embed the texts, all in one call if it can, else one by one. */
    static Accuracy measure(RivalClient rival) {
        Fixture fixture = Fixture.load(Fixture.EMBEDDED_DEFAULT);
        List<Integer> places = IntStream.range(0, fixture.texts().size())
                .filter(text -> fixture.tokenCount(text) <= MAX_TOKENS)
                .boxed()
                .toList();
        List<String> texts =
                places.stream().map(place -> fixture.texts().get(place)).toList();
        try {
            return compare(List.of(rival.embed(texts)), fixture.vectors(), places, List.of());
        } catch (RivalException refused) {
            return oneByOne(rival, texts, fixture.vectors(), places);
        }
    }

    private static Accuracy oneByOne(
            RivalClient rival, List<String> texts, double[][] reference, List<Integer> places) {
        List<float[]> vectors = new ArrayList<>();
        List<Integer> embedded = new ArrayList<>();
        List<String> refusals = new ArrayList<>();
        for (int row = 0; row < texts.size(); row++) {
            try {
                vectors.add(rival.embed(List.of(texts.get(row)))[0]);
                embedded.add(places.get(row));
            } catch (RivalException e) {
                refusals.add(e.reason());
            }
        }
        return compare(vectors, reference, embedded, refusals);
    }

    /**
     * Compares vectors with the reference.
     *
     * @param vectors [B][D]
     * @param reference [texts of the fixture][D]
     * @param places [B] the place in the reference of each vector
     * @param refusals what was said to the texts that have no vector
     */
    static Accuracy compare(List<float[]> vectors, double[][] reference, List<Integer> places, List<String> refusals) {
        double maxError = 0;
        int worstText = -1;
        double[] errors = new double[vectors.size()];
        for (int row = 0; row < errors.length; row++) {
            errors[row] = Bar.unitError(vectors.get(row), reference[places.get(row)]);
            if (Double.isNaN(errors[row]) || errors[row] > maxError) { // nothing is above a NaN
                maxError = errors[row];
                worstText = places.get(row);
            }
        }
        return new Accuracy(
                errors.length,
                refusals.size(),
                refusals.isEmpty() ? "" : refusals.get(0),
                maxError,
                worstText,
                errors.length == 0 ? Double.NaN : Spread.of(errors).median(),
                1 - maxError * maxError / 2); // unit vectors a distance e apart have the cosine 1 - e^2 / 2
    }
}
