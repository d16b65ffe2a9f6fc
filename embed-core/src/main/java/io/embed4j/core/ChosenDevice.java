// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core;

import io.embed4j.DeviceUnavailableException;
import io.embed4j.EmbedException;
import io.embed4j.EmbedderOptions;
import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.device.Backends;
import io.embed4j.core.device.OpenDevices;
import io.embed4j.core.fit.Choice;
import io.embed4j.core.fit.FitPlanner;
import io.embed4j.core.model.ModelOutline;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.EncoderOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The device that a model goes to, held open, and what it is to be loaded with.
 *
 * <p>A device that users name is taken or refused. {@code auto} takes the best on which the model runs and fits with the
 * margin, then the best on which it fits without.
 *
 * @param lease the device; closed by the caller
 * @param options precision and budget
 * @param report how that fits; its verdict is FITS unless nothing did
 */
record ChosenDevice(OpenDevices.Lease lease, EncoderOptions options, FitReport report) implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ChosenDevice.class);

    private static final double NO_MARGIN = 0;

    /**
     * Chooses.
     *
     * @throws DeviceUnavailableException if the device cannot be used
     * @throws UnsupportedModelException if the model or the precision cannot be honoured
     */
    static ChosenDevice choose(Backends backends, ModelOutline model, EmbedderOptions asked) {
        Backends.Candidates candidates = backends.candidates(asked.device());
        List<String> passedOver = new ArrayList<>(candidates.passedOver());
        EmbedException firstRefusal = null;
        List<DeviceId> tooSmall = new ArrayList<>();
        for (double margin : new double[] {asked.memoryMargin(), NO_MARGIN}) {
            List<DeviceId> devices = margin == asked.memoryMargin() ? candidates.devices() : List.copyOf(tooSmall);
            for (DeviceId id : devices) {
                OpenDevices.Lease lease = null;
                try {
                    lease = OpenDevices.lease(backends.provider(id), id);
                    ChosenDevice chosen = on(lease, model, asked, margin);
                    if (chosen != null) {
                        chosen.log(asked, passedOver);
                        return chosen;
                    }
                    tooSmall.add(id);
                    passedOver.add(id + ": " + model.name() + " does not fit its free memory");
                } catch (UnsupportedModelException | DeviceUnavailableException e) {
                    if (candidates.devices().size() == 1) {
                        close(lease);
                        throw e;
                    }
                    firstRefusal = firstRefusal == null ? e : firstRefusal;
                    passedOver.add(id + ": " + e.getMessage());
                } catch (RuntimeException | Error e) {
                    close(lease);
                    throw e;
                }
                close(lease);
            }
        }
        if (tooSmall.isEmpty() && firstRefusal != null) {
            throw firstRefusal;
        }
        return unfitting(backends, tooSmall.get(0), model, asked);
    }

    private static void close(OpenDevices.@Nullable Lease lease) {
        if (lease != null) {
            lease.close();
        }
    }

    /** The lease goes into the result, if there is one. */
    private static @Nullable ChosenDevice on(
            OpenDevices.Lease lease, ModelOutline model, EmbedderOptions asked, double margin) {
        Choice choice = choice(lease, model, asked);
        Optional<EncoderOptions> options = choice.within(margin);
        return options.map(
                        found -> new ChosenDevice(lease, found, choice.planner().report(found)))
                .orElse(null);
    }

    private static ChosenDevice unfitting(Backends backends, DeviceId id, ModelOutline model, EmbedderOptions asked) {
        OpenDevices.Lease lease = OpenDevices.lease(backends.provider(id), id);
        try {
            Choice choice = choice(lease, model, asked);
            return new ChosenDevice(lease, choice.asAsked(), choice.planner().report(choice.asAsked()));
        } catch (RuntimeException | Error e) {
            lease.close();
            throw e;
        }
    }

    private static Choice choice(OpenDevices.Lease lease, ModelOutline model, EmbedderOptions asked) {
        FitPlanner planner = new FitPlanner(model.spec(), model.stored(), lease.device());
        return new Choice(planner, asked, model.name(), model.maxTokens());
    }

    /**
     * Refuses what does not fit.
     *
     * @throws OutOfDeviceMemoryException with the report
     */
    ChosenDevice requireFitting() {
        if (report.verdict() != FitReport.Verdict.FITS) {
            lease.close();
            throw new OutOfDeviceMemoryException(report);
        }
        return this;
    }

    /** One line about what was left open and how it was decided. */
    private void log(EmbedderOptions asked, List<String> passedOver) {
        int byDefault = lease.device().defaultBatchTokens(options.maxTokensPerText());
        boolean lowered = asked.maxBatchTokens() == 0 && options.maxBatchTokens() < byDefault;
        if (!asked.device().equals("auto") && asked.precision() != Precision.AUTO && !lowered) {
            return;
        }
        LOG.info(
                "Device {} is {} ({}): {} in {}, batches of {} tokens{}, {} MiB of {} free{}",
                asked.device(),
                report.device(),
                lease.device().info().name(),
                report.model(),
                options.precision(),
                options.maxBatchTokens(),
                lowered ? " instead of " + byDefault + " so that it fits" : "",
                report.neededBytes() >> 20,
                report.freeBytes() >> 20,
                passedOver.isEmpty() ? "" : "; not " + String.join("; ", passedOver));
    }

    @Override
    public void close() {
        lease.close();
    }
}
