// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.doctor;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Texts of which the right vectors are known, from the reference in float64, and how far a backend may be from them in
 * each precision. A model on the class path brings them beside its descriptor, as {@code NAME.known.json}.
 *
 * @param largestErrors per precision, the largest distance from a known vector; both of unit length
 * @param texts N texts
 * @param vectors [N][D]
 */
@SuppressWarnings("ArrayRecordComponent") // read once, compared element by element
record KnownVectors(Map<String, Double> largestErrors, List<String> texts, double[][] vectors) {

    /**
     * Finds the known vectors of an embedded model.
     *
     * @param id the part after {@code embedded:}
     * @return empty if the model has none, or they cannot be read
     */
    static Optional<KnownVectors> find(String id) {
        String resource = "META-INF/embed4j/models/" + id + ".known.json";
        for (@Nullable
        ClassLoader loader :
                new ClassLoader[] {Thread.currentThread().getContextClassLoader(), KnownVectors.class.getClassLoader()
                }) {
            try (InputStream in = loader == null ? null : loader.getResourceAsStream(resource)) {
                if (in != null) {
                    return Optional.of(
                            new Gson().fromJson(new InputStreamReader(in, StandardCharsets.UTF_8), KnownVectors.class));
                }
            } catch (IOException | JsonParseException e) {
                return Optional.empty();
            }
        }
        return Optional.empty();
    }

    /**
     * Returns how far vectors may be from the known ones.
     *
     * @param precision what they were computed in
     * @return empty if nobody has said so
     */
    Optional<Double> largestError(Precision precision) {
        return Optional.ofNullable(largestErrors.get(precision.toString()));
    }

    /**
     * Compares.
     *
     * @param found the vectors of {@link #texts()}
     * @return the largest distance; infinite if one is not finite or has another length
     */
    double error(Embeddings found) {
        double worst = 0;
        for (int row = 0; row < vectors.length; row++) {
            double error = distance(found.vector(row), vectors[row]);
            worst = Math.max(worst, Double.isNaN(error) ? Double.POSITIVE_INFINITY : error);
        }
        return worst;
    }

    private static double distance(float[] found, double[] known) {
        if (found.length != known.length) {
            return Double.POSITIVE_INFINITY;
        }
        double square = 0;
        for (int i = 0; i < known.length; i++) {
            square += (found[i] - known[i]) * (found[i] - known[i]);
        }
        return Math.sqrt(square);
    }
}
