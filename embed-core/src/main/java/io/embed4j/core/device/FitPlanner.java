// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import io.embed4j.FitReport;
import io.embed4j.FitReport.Verdict;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spi.Device;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.WeightSource;

/** Holds a device's plan for a model against the device's account. */
public final class FitPlanner {
    /** Where the search for the largest budget ends. */
    private static final int MAX_BUDGET_TOKENS = 1 << 24;

    private FitPlanner() {}

    /**
     * Answers whether an encoder would fit.
     *
     * @param spec the architecture
     * @param weights the weights
     * @param device the device
     * @param options the model's name, precision and budget
     * @throws io.embed4j.UnsupportedModelException if the device cannot run the model at all
     */
    public static FitReport report(EncoderSpec spec, WeightSource weights, Device device, EncoderOptions options) {
        MemoryPlan plan = plan(spec, weights, device, options);
        long free = device.memory().freeBytes();
        boolean fits = plan.totalBytes() <= free;
        int largestBudget = largestBudget(spec, weights, device, options, free);
        Verdict verdict = fits ? Verdict.FITS : largestBudget > 0 ? Verdict.FITS_WITH_REMEDY : Verdict.DOES_NOT_FIT;
        String remedy = switch (verdict) {
            case FITS -> "";
            case FITS_WITH_REMEDY -> "Lower maxBatchTokens to " + largestBudget + ".";
            case DOES_NOT_FIT ->
                "It is short by " + (plan.totalBytes() - free) + " bytes; use another device or a smaller model.";
        };
        return new FitReport(
                options.tenant(),
                device.info().id(),
                options.precision(),
                plan.weightBytes(),
                plan.activationBytes(),
                plan.workspaceBytes(),
                free,
                device.memory().totalBytes(),
                verdict,
                largestBudget,
                remedy);
    }

    private static MemoryPlan plan(EncoderSpec spec, WeightSource weights, Device device, EncoderOptions options) {
        return device.plan(spec, weights, options);
    }

    /** The largest budget whose plan fits, by bisection: plans grow with the budget. 0 if not even one text fits. */
    private static int largestBudget(
            EncoderSpec spec, WeightSource weights, Device device, EncoderOptions options, long freeBytes) {
        int fits = 0;
        int tooLarge = MAX_BUDGET_TOKENS + 1;
        for (int budget = options.maxTokensPerText(); tooLarge - fits > 1; budget = fits + (tooLarge - fits) / 2) {
            if (budget < options.maxTokensPerText()) {
                break;
            }
            EncoderOptions candidate = options.withMaxBatchTokens(budget);
            if (plan(spec, weights, device, candidate).totalBytes() <= freeBytes) {
                fits = budget;
            } else {
                tooLarge = budget;
            }
        }
        return fits;
    }
}
