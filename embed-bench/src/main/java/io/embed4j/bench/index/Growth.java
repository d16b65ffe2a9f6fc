// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import java.util.Map;

/** How time grows with size. */
public final class Growth {
    private Growth() {}

    /**
     * The exponent e of time = c size^e: the slope of the line through the logarithms, by least squares.
     *
     * @param times by size; at least two sizes
     */
    public static double slope(Map<? extends Number, Double> times) {
        double meanX = times.keySet().stream()
                .mapToDouble(size -> Math.log(size.doubleValue()))
                .average()
                .orElseThrow();
        double meanY = times.values().stream().mapToDouble(Math::log).average().orElseThrow();
        double covariance = 0;
        double variance = 0;
        for (Map.Entry<? extends Number, Double> point : times.entrySet()) {
            double x = Math.log(point.getKey().doubleValue()) - meanX;
            covariance += x * (Math.log(point.getValue()) - meanY);
            variance += x * x;
        }
        return covariance / variance;
    }
}
