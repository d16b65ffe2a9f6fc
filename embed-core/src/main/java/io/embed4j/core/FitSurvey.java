// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core;

import io.embed4j.DeviceUnavailableException;
import io.embed4j.FitReport;
import io.embed4j.FitTable;
import io.embed4j.GpuCard;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.device.Backends;
import io.embed4j.core.device.OpenDevices;
import io.embed4j.core.fit.FitPlanner;
import io.embed4j.core.model.ModelOutline;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DevicePlanner;
import io.embed4j.spi.EncoderOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A model in every precision on several devices.
 *
 * @param model what needs memory
 * @param maxBatchTokens most tokens in one batch; 0 lets each device choose
 */
record FitSurvey(ModelOutline model, int maxBatchTokens) {

    /** On the device that is named, or all that are usable for {@code auto}. */
    FitTable ofDevices(Backends backends, String device) {
        Backends.Candidates candidates = backends.candidates(device);
        List<FitTable> tables = new ArrayList<>();
        for (DeviceId id : candidates.devices()) {
            try (OpenDevices.Lease lease = OpenDevices.lease(backends.provider(id), id)) {
                tables.add(of(lease.device()));
            } catch (DeviceUnavailableException e) {
                tables.add(note(id + ": " + e.getMessage()));
            }
        }
        candidates.passedOver().forEach(reason -> tables.add(note(reason)));
        return FitTable.join(tables);
    }

    /** On cards that need not be here. */
    FitTable ofCards(Backends backends, List<GpuCard> cards) {
        return FitTable.join(
                cards.stream().map(card -> of(backends.planner(card))).toList());
    }

    private static FitTable note(String text) {
        return new FitTable(List.of(), List.of(text));
    }

    private FitTable of(DevicePlanner device) {
        FitPlanner planner = new FitPlanner(model.spec(), model.stored(), device);
        List<FitReport> reports = new ArrayList<>();
        try {
            for (Precision precision : Stream.concat(planner.precisions().stream(), device.plannedPrecisions().stream())
                    .toList()) {
                reports.add(planner.report(
                        new EncoderOptions(model.name(), precision, model.maxTokens(), maxBatchTokens, List.of())));
            }
        } catch (UnsupportedModelException e) {
            return note(device.info().id() + ": " + e.getMessage());
        }
        return new FitTable(reports, List.of());
    }
}
