// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against values computed with mpmath 1.3 in 40 digits, x being the double nearest to what stands here. */
class ActivationTest {

    @ParameterizedTest
    @CsvSource({
        // x, GELU erf, GELU tanh, SiLU, tanh, sigmoid
        "-40, 0.0, 0.0, -1.6993417021166355e-16, -1.0, 4.248354255291589e-18",
        "-10, -7.619853024160526e-23, -1.2041929433716598e-37, -0.00045397868702434395, -0.9999999958776927,"
                + " 4.5397868702434395e-05",
        "-6, -5.9195258702261885e-09, -8.439646700762297e-11, -0.014835738939808645, -0.9999877116507956,"
                + " 0.0024726231566347743",
        "-3.6, -0.0005727909245671218, -0.00041258021416358277, -0.09574917687671708, -0.9985079423323266,"
                + " 0.026596993576865853",
        "-3.5, -0.0008142017766243376, -0.0006161976553736633, -0.10259280762974711, -0.9981778976111987,"
                + " 0.02931223075135632",
        "-2, -0.04550026389635842, -0.04540230591222498, -0.23840584404423512, -0.9640275800758169,"
                + " 0.11920292202211756",
        "-1, -0.15865525393145705, -0.1588080093917233, -0.2689414213699951, -0.7615941559557649, 0.2689414213699951",
        "-0.5, -0.15426876936299344, -0.15428599017485609, -0.18877033439907273, -0.46211715726000974,"
                + " 0.37754066879814546",
        "0, 0.0, 0.0, 0.0, 0.0, 0.5",
        "1e-300, 5e-301, 5e-301, 5e-301, 1e-300, 0.5",
        "1e-8, 5.000000039894228e-09, 5.000000039894228e-09, 5.000000025e-09, 1e-08, 0.5000000025",
        "0.1, 0.053982783727702904, 0.053982751045435165, 0.052497918747894, 0.09966799462495582, 0.52497918747894",
        "0.5, 0.34573123063700656, 0.34571400982514394, 0.3112296656009273, 0.46211715726000974, 0.6224593312018546",
        "1, 0.8413447460685429, 0.8411919906082767, 0.7310585786300049, 0.7615941559557649, 0.7310585786300049",
        "1.5, 1.399789198096713, 1.3995715769802328, 1.2263617142904655, 0.9051482536448664, 0.8175744761936437",
        "2, 1.9544997361036416, 1.954597694087775, 1.7615941559557649, 0.9640275800758169, 0.8807970779778824",
        "3, 2.99595030590511, 2.996362607918227, 2.8577223804672998, 0.9950547536867305, 0.9525741268224333",
        "3.5, 3.4991857982233756, 3.499383802344626, 3.397407192370253, 0.9981778976111987, 0.9706877692486436",
        "3.54, 3.539291775153334, 3.5394741408608494, 3.4401886805856954, 0.9983178696753823, 0.9718047120298574",
        "4, 3.9998733150326675, 3.9999297540518075, 3.928055160151634, 0.999329299739067, 0.9820137900379085",
        "5, 4.999998566742141, 4.999999770820381, 4.966535745378576, 0.9999092042625951, 0.9933071490757152",
        "8, 7.999999999999995, 8.0, 7.997317198956268, 0.9999997749296758, 0.9996646498695335",
        "40, 40.0, 40.0, 40.0, 1.0, 1.0"
    })
    void valuesAreThePublishedOnes(double x, double erf, double tanhForm, double silu, double tanh, double sigmoid) {
        near(Activation.GELU_ERF, x, erf);
        near(Activation.GELU_TANH, x, tanhForm);
        near(Activation.SILU, x, silu);
        near(Activation.TANH, x, tanh);
        near(Activation.SIGMOID, x, sigmoid);
        near(Activation.IDENTITY, x, x);
        near(Activation.RELU, x, x > 0 ? x : 0);
    }

    private static void near(Activation activation, double x, double expected) {
        double error = Math.abs(activation.apply(x) - expected);
        assertThat(error).as("%s(%s)", activation, x).isLessThanOrEqualTo(1e-15 * Math.max(1, Math.abs(x)));
    }

    /** |x| / sqrt(2) = 2.5 is where the error function changes from the series to the continued fraction. */
    @Test
    void theErrorFunctionHasNoStepWhereItsFormulaChanges() {
        double seam = 2.5 * Math.sqrt(2);
        double slope = 1.0008; // of GELU there
        for (int ulps = 1; ulps <= 1000; ulps *= 10) {
            double below = seam - ulps * Math.ulp(seam);
            double above = seam + ulps * Math.ulp(seam);
            double rise = Activation.GELU_ERF.apply(above) - Activation.GELU_ERF.apply(below);
            assertThat(Math.abs(rise - slope * (above - below))).isLessThan(4e-15);
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {50, 1e3, 1e10, 1e100, 1e200, Double.MAX_VALUE})
    void largeNumbersNeitherOverflowNorBecomeNaN(double x) {
        for (Activation activation :
                List.of(Activation.GELU_ERF, Activation.GELU_TANH, Activation.SILU, Activation.RELU)) {
            assertThat(activation.apply(x)).as("%s(%s)", activation, x).isEqualTo(x);
            assertThat(activation.apply(-x)).as("%s(%s)", activation, -x).isCloseTo(0, within(1e-15));
        }
        assertThat(Activation.TANH.apply(-x)).isEqualTo(-1);
        assertThat(Activation.SIGMOID.apply(x)).isEqualTo(1);
        assertThat(Activation.SIGMOID.apply(-x)).isLessThan(1e-20);
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void nanStaysNaN(Activation activation) {
        assertThat(activation.apply(Double.NaN)).isNaN();
    }

    @Test
    void theTwoFormsOfGeluAreTwoFunctions() {
        List<Double> differences = new ArrayList<>();
        for (int i = -600; i <= 600; i++) {
            double x = i / 100.0;
            differences.add(Math.abs(Activation.GELU_ERF.apply(x) - Activation.GELU_TANH.apply(x)));
        }
        double largest = differences.stream().mapToDouble(d -> d).max().orElseThrow();
        assertThat(largest).isBetween(4e-4, 5e-4);
    }
}
