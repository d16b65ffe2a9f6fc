// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.fit;

import io.embed4j.FitReport;
import io.embed4j.FitReport.Verdict;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spi.DevicePlanner;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.spi.WeightTypes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.IntPredicate;

/**
 * Holds a device's plan for a model against the device's account.
 *
 * @param spec the architecture
 * @param stored how the weights are stored
 * @param device whose memory it is
 * @param freeBytes of the device, asked once
 */
public record FitPlanner(EncoderSpec spec, WeightTypes stored, DevicePlanner device, long freeBytes) {
    /** Where the search for the largest budget ends. */
    private static final int MAX_BUDGET_TOKENS = 1 << 24;

    private static final int MAX_INDEX_ROWS = Integer.MAX_VALUE - 1;

    private static final List<DType> INDEX_STORAGE = List.of(DType.FP32, DType.FP16, DType.BF16);

    /**
     * Asks the device for its free memory.
     *
     * @param spec the architecture
     * @param stored how the weights are stored
     * @param device whose memory it is
     */
    public FitPlanner(EncoderSpec spec, WeightTypes stored, DevicePlanner device) {
        this(spec, stored, device, device.freeBytes());
    }

    /**
     * Answers whether an encoder would fit.
     *
     * @param options the model's name, precision and budget
     * @throws io.embed4j.UnsupportedModelException if the device cannot run the model at all
     */
    public FitReport report(EncoderOptions options) {
        MemoryPlan plan = plan(options);
        boolean fits = plan.totalBytes() <= freeBytes;
        int largestBudget = largestBudget(options, freeBytes).orElse(0);
        String better = fits ? "" : otherPrecision(options);
        boolean remediable = largestBudget > 0 || !better.isEmpty();
        Verdict verdict = fits ? Verdict.FITS : remediable ? Verdict.FITS_WITH_REMEDY : Verdict.DOES_NOT_FIT;
        int longestText = longestText(options, largestBudget);
        int budget = budget(options);
        return new FitReport(
                options.tenant(),
                device.info().id(),
                options.precision(),
                !device.precisions().contains(options.precision()),
                budget,
                new FitReport.Needs(
                        plan.weightBytes(),
                        plan.activationBytes(),
                        plan.workspaceBytes(),
                        plan.stagingBytes(),
                        device.graphBytes(spec),
                        device.processBytes()),
                freeBytes,
                device.totalBytes(),
                verdict,
                new FitReport.Room(largestBudget, longestText, indexRows(plan)),
                GpuCards.of(device.info())
                        .flatMap(card -> Roofline.estimate(spec, options.precision(), card, budget))
                        .orElse(null),
                switch (verdict) {
                    case FITS -> "";
                    case FITS_WITH_REMEDY -> remedy(largestBudget, better);
                    case DOES_NOT_FIT -> shortage(plan.totalBytes() - freeBytes, longestText);
                });
    }

    /**
     * Refuses what does not fit.
     *
     * @throws OutOfDeviceMemoryException with the report
     */
    public void requireFitting(EncoderOptions options) {
        FitReport report = report(options);
        if (report.verdict() != Verdict.FITS) {
            throw new OutOfDeviceMemoryException(report);
        }
    }

    /** Most tokens in one batch, the device's own choice where the options leave it open. */
    int budget(EncoderOptions options) {
        return options.maxBatchTokens() > 0
                ? options.maxBatchTokens()
                : device.defaultBatchTokens(options.maxTokensPerText());
    }

    /** Precisions in which the device runs the model, best first. */
    public List<Precision> precisions() {
        return device.precisions().stream()
                .filter(precision -> !(spec.overflowsFp16() && precision == Precision.FP16))
                .toList();
    }

    private MemoryPlan plan(EncoderOptions options) {
        return device.plan(spec, stored, options);
    }

    private boolean fits(EncoderOptions options, long bytes) {
        return plan(options).totalBytes() <= bytes;
    }

    /** The largest budget whose plan fits so many bytes: plans grow with the budget. */
    OptionalInt largestBudget(EncoderOptions options, long bytes) {
        return largest(
                options.maxTokensPerText(),
                MAX_BUDGET_TOKENS,
                budget -> fits(options.withMaxBatchTokens(budget), bytes));
    }

    private int longestText(EncoderOptions options, int largestBudget) {
        if (largestBudget >= options.maxTokensPerText()) {
            return options.maxTokensPerText();
        }
        return largest(
                        1,
                        options.maxTokensPerText(),
                        tokens -> fits(
                                new EncoderOptions(options.tenant(), options.precision(), tokens, tokens, List.of()),
                                freeBytes))
                .orElse(0);
    }

    /** By bisection: the largest number from least to most that passes, if the least does. */
    private static OptionalInt largest(int least, int most, IntPredicate passes) {
        if (!passes.test(least)) {
            return OptionalInt.empty();
        }
        int fits = least;
        int tooLarge = most + 1;
        while (tooLarge - fits > 1) {
            int middle = fits + (tooLarge - fits) / 2;
            if (passes.test(middle)) {
                fits = middle;
            } else {
                tooLarge = middle;
            }
        }
        return OptionalInt.of(fits);
    }

    /** A precision in which it would fit as asked, or else with a smaller budget; empty if there is none. */
    private String otherPrecision(EncoderOptions options) {
        List<String> withBudget = new ArrayList<>();
        for (Precision precision : precisions()) {
            EncoderOptions other = options.withPrecision(precision);
            if (fits(other, freeBytes)) {
                return "use " + precision;
            }
            largestBudget(other, freeBytes)
                    .ifPresent(budget -> withBudget.add("use " + precision + " with maxBatchTokens " + budget));
        }
        return withBudget.isEmpty() ? "" : withBudget.get(0);
    }

    private static String remedy(int largestBudget, String otherPrecision) {
        if (largestBudget == 0) {
            return otherPrecision.substring(0, 1).toUpperCase(Locale.ROOT) + otherPrecision.substring(1) + ".";
        }
        boolean plain = !otherPrecision.isEmpty() && !otherPrecision.contains(" with ");
        return "Lower maxBatchTokens to " + largestBudget + (plain ? " or " + otherPrecision : "") + ".";
    }

    private static String shortage(long bytes, int longestText) {
        return "It is short by " + amount(bytes)
                + (longestText > 0
                        ? "; texts of at most " + longestText
                                + " tokens would fit (max_seq_length in sentence_bert_config.json)."
                        : "; use another device or a smaller model.");
    }

    private static String amount(long bytes) {
        if (bytes < 1 << 20) {
            return bytes + " bytes";
        }
        return bytes < 1 << 30
                ? String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20))
                : String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1 << 30));
    }

    private Map<DType, Long> indexRows(MemoryPlan plan) {
        Map<DType, Long> rows = new LinkedHashMap<>();
        long left = freeBytes - plan.totalBytes();
        if (left >= 0) {
            for (DType storage : INDEX_STORAGE) {
                IndexSpec index = new IndexSpec(spec.outputSize(), storage, IndexSpec.Rescoring.EXACT);
                if (hasIndex(index)) {
                    rows.put(storage, (long) largest(0, MAX_INDEX_ROWS, count -> indexBytes(index, count) <= left)
                            .orElse(0));
                }
            }
        }
        return rows;
    }

    private boolean hasIndex(IndexSpec index) {
        try {
            return indexBytes(index, 0) >= 0;
        } catch (UnsupportedModelException e) {
            return false;
        }
    }

    private long indexBytes(IndexSpec index, int rows) {
        return device.planIndex(index, rows).device().totalBytes();
    }
}
