// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.fit;

import io.embed4j.EmbedderOptions;
import io.embed4j.HelpTopic;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spi.EncoderOptions;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What users leave open, decided by what fits: the precision where it is {@link Precision#AUTO}, and the token budget where
 * it is 0. What they name is kept: it fits, or it is refused.
 *
 * @param planner the model on the device
 * @param asked what users want; its device is decided elsewhere
 * @param tenant the model's name
 * @param maxTokens longest text in tokens
 */
public record Choice(FitPlanner planner, EmbedderOptions asked, String tenant, int maxTokens) {

    /**
     * Decides.
     *
     * @param margin share of the device's free memory that is left free
     * @return what to load; empty if nothing fits
     * @throws UnsupportedModelException if the device does not offer the precision, or cannot run the model
     */
    public Optional<EncoderOptions> within(double margin) {
        long bytes = planner.freeBytes() - (long) (margin * planner.freeBytes());
        for (Precision precision : precisions()) {
            EncoderOptions options = options(precision);
            int wanted = planner.budget(options);
            OptionalInt largest = planner.largestBudget(options, bytes);
            boolean fits = largest.isPresent() && (largest.getAsInt() >= wanted || asked.maxBatchTokens() == 0);
            if (fits) {
                return Optional.of(options.withMaxBatchTokens(Math.min(wanted, largest.getAsInt())));
            }
        }
        return Optional.empty();
    }

    /**
     * What to report on where nothing fits.
     *
     * @throws UnsupportedModelException if the device does not offer the precision
     */
    public EncoderOptions asAsked() {
        EncoderOptions options = options(precisions().get(0));
        return options.withMaxBatchTokens(planner.budget(options));
    }

    private EncoderOptions options(Precision precision) {
        return new EncoderOptions(tenant, precision, maxTokens, asked.maxBatchTokens(), List.of());
    }

    /** Those that may be taken, best first. */
    private List<Precision> precisions() {
        if (asked.precision() == Precision.AUTO) {
            return planner.precisions();
        }
        List<Precision> offered = planner.device().precisions();
        if (!offered.contains(asked.precision())) {
            throw new UnsupportedModelException(
                    HelpTopic.PRECISION,
                    "The device " + planner.device().info().id() + " does not offer the precision " + asked.precision()
                            + ". It offers " + offered + ".");
        }
        return List.of(asked.precision());
    }
}
