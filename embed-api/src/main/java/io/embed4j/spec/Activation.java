// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * The nonlinearity of a feed-forward or dense layer.
 *
 * <p>GELU after Hendrycks and Gimpel, <a href="https://arxiv.org/abs/1606.08415">arXiv 1606.08415</a>. The erf and the
 * tanh form differ by up to 5e-4: they are two functions, and a backend never puts one for the other.
 *
 * <pre>{@code
 * double y = Activation.GELU_ERF.apply(1.0);
 * if (Math.abs(y - 0.8413447460685429) > 1e-15) throw new AssertionError(y);
 * }</pre>
 *
 * @since 0.1
 */
public enum Activation {
    /** f(x) = x. */
    IDENTITY,
    /** f(x) = x * Phi(x), with the error function. */
    GELU_ERF,
    /** f(x) = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
    GELU_TANH,
    /** f(x) = max(x, 0). */
    RELU,
    /** f(x) = x * sigmoid(x), also called swish. */
    SILU,
    /** f(x) = tanh(x). */
    TANH,
    /** f(x) = 1 / (1 + exp(-x)). */
    SIGMOID;

    private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

    /**
     * Computes the function in float64: the plain twin of what backends run.
     *
     * @param x input
     * @return f(x) to rounding error
     */
    public double apply(double x) {
        return switch (this) {
            case IDENTITY -> x;
            case GELU_ERF -> 0.5 * x * (1 + erf(x / Math.sqrt(2)));
            case GELU_TANH -> 0.5 * x * (1 + Math.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));
            case RELU -> Math.max(x, 0);
            case SILU -> x / (1 + Math.exp(-x));
            case TANH -> Math.tanh(x);
            case SIGMOID -> 1 / (1 + Math.exp(-x));
        };
    }

    /**
     * The error function: the Maclaurin series where it converges without cancellation, the continued fraction of the
     * complement beyond (Abramowitz and Stegun 7.1.6 and 7.1.14).
     */
    private static double erf(double x) {
        double magnitude = Math.abs(x);
        if (magnitude < 2.5) {
            double term = x;
            double sum = x;
            for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
                term *= 2 * x * x / (2 * n + 1);
                sum += term;
            }
            return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
        }
        double fraction = 0;
        for (int n = 60; n >= 1; n--) {
            fraction = n / 2.0 / (magnitude + fraction);
        }
        double complement = Math.exp(-x * x) / Math.sqrt(Math.PI) / (magnitude + fraction);
        return Math.copySign(1 - complement, x);
    }
}
