// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.List;

/**
 * Whether models fit devices, answered from a model's configuration alone: config.json is enough, weights are not read.
 * The answer equals what loading then allocates.
 *
 * <pre>{@code
 * FitReport here = Fit.plan(EmbedderOptions.defaults().withDevice("cpu"));
 * System.out.println(here);
 *
 * FitTable there = Fit.planOn(EmbedderOptions.defaults(), GpuCard.named("RTX 3060 12GB"));
 * System.out.println(there);
 * if (there.reports().get(0).verdict() != FitReport.Verdict.FITS) throw new AssertionError(there);
 * }</pre>
 *
 * @since 0.1
 */
public final class Fit {
    private Fit() {}

    /**
     * Plans what {@link Embedder.Builder#build} would load: where device, precision or budget are left to choose, they are
     * chosen.
     *
     * @param options model, device, precision, budget
     * @return the report
     * @throws ModelFormatException if files are missing, damaged or contradictory
     * @throws UnsupportedModelException if the model or the precision cannot be honoured
     * @throws DeviceUnavailableException if the device cannot be used
     */
    public static FitReport plan(EmbedderOptions options) {
        return EmbedderFactory.find().fit(options);
    }

    /**
     * Plans a model in every precision on every device of this machine.
     *
     * @param options the model, the token budget and the device; {@code auto} stands for every device
     * @return a report for each device and precision
     * @throws ModelFormatException if files are missing, damaged or contradictory
     * @throws DeviceUnavailableException if a device is named that cannot be used
     */
    public static FitTable planAll(EmbedderOptions options) {
        return EmbedderFactory.find().fitAll(options, List.of());
    }

    /**
     * Plans a model in every precision on a card that need not be here.
     *
     * @param options the model and the token budget
     * @param card the card, with nothing on it
     * @return a report for each precision
     * @throws ModelFormatException if files are missing, damaged or contradictory
     */
    public static FitTable planOn(EmbedderOptions options, GpuCard card) {
        return EmbedderFactory.find().fitAll(options, List.of(card));
    }
}
