// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import io.embed4j.spec.DType;
import java.io.Serializable;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Whether a model fits a device's memory, with the arithmetic.
 *
 * <pre>{@code
 * FitReport report = Embedder.builder().device("cpu").fit();
 * System.out.println(report);
 * if (report.verdict() != FitReport.Verdict.FITS) throw new AssertionError(report);
 * }</pre>
 *
 * @param model the model's name
 * @param device the device's id, or the name of a card that is not here
 * @param precision precision of the computation
 * @param planned whether this version only computes the numbers: it does not run the precision on the device yet
 * @param tokenBudget most tokens in one batch
 * @param needs bytes by purpose
 * @param freeBytes free memory of the device
 * @param totalBytes memory of the device
 * @param verdict whether it fits
 * @param room what else would fit
 * @param throughput an estimate of the speed; null where the device's data are not known
 * @param remedy what would fit, in words; empty if it fits
 * @since 0.1
 */
public record FitReport(
        String model,
        String device,
        Precision precision,
        boolean planned,
        int tokenBudget,
        Needs needs,
        long freeBytes,
        long totalBytes,
        Verdict verdict,
        Room room,
        @Nullable Throughput throughput,
        String remedy)
        implements Serializable {

    private static final long serialVersionUID = 2L;

    /**
     * The answer.
     *
     * <pre>{@code
     * boolean runs = Embedder.builder().device("cpu").fit().verdict() == FitReport.Verdict.FITS;
     * }</pre>
     */
    public enum Verdict {
        /** As asked. */
        FITS,
        /** With the smaller budget or lower precision that the remedy names. */
        FITS_WITH_REMEDY,
        /** Not on this device. */
        DOES_NOT_FIT
    }

    /**
     * Bytes on the device by purpose. The first four are what is allocated; the last two are estimates of what the device's
     * driver takes for itself.
     *
     * <pre>{@code
     * FitReport.Needs needs = Embedder.builder().device("cpu").fit().needs();
     * if (needs.processBytes() != 0) throw new AssertionError("only a GPU's driver takes memory for itself");
     * }</pre>
     *
     * @param weightBytes weights
     * @param activationBytes activations at the token budget
     * @param workspaceBytes workspaces, and what rounding up leaves over
     * @param stagingBytes inputs and outputs of batches under way; on a GPU as much again is pinned in host memory
     * @param graphBytes estimate: recorded launches, which are made only where there is room, so that they do not count
     * @param processBytes estimate: what the driver takes for each process; the report's free bytes have it taken off
     */
    public record Needs(
            long weightBytes,
            long activationBytes,
            long workspaceBytes,
            long stagingBytes,
            long graphBytes,
            long processBytes)
            implements Serializable {
        private static final long serialVersionUID = 1L;

        /**
         * Returns what is allocated.
         *
         * @return weights, activations, workspace and staging
         */
        public long totalBytes() {
            return weightBytes + activationBytes + workspaceBytes + stagingBytes;
        }
    }

    /**
     * What else the free memory would hold.
     *
     * <pre>{@code
     * FitReport.Room room = Embedder.builder().device("cpu").fit().room();
     * if (room.longestText() != 256) throw new AssertionError(room);
     * }</pre>
     *
     * @param largestTokenBudget largest maxBatchTokens that fits; 0 if none does
     * @param longestText longest text in tokens that fits: the model's own maximum, or less; 0 if none does
     * @param indexRows vectors of the model's dimension that an index beside the model would hold, by storage, as far as
     *     the device has an index in it; empty if the model does not fit
     */
    public record Room(int largestTokenBudget, int longestText, Map<DType, Long> indexRows) implements Serializable {
        private static final long serialVersionUID = 1L;

        /** Copies the map, in its order. */
        public Room {
            indexRows = Collections.unmodifiableMap(new LinkedHashMap<>(indexRows));
        }
    }

    /**
     * An estimate of the speed from the device's published data: no kernel can be faster than this, and real ones reach a
     * share of it. Not a measurement.
     *
     * <pre>{@code
     * FitTable table = Fit.planOn(EmbedderOptions.defaults(), GpuCard.named("L4"));
     * for (FitReport report : table.reports()) {
     *     if (report.throughput() != null) System.out.println(report.throughput().formula());
     * }
     * }</pre>
     *
     * @param tokensPerSecond at most so many
     * @param textTokens for texts of so many tokens, in full batches
     * @param formula how it was computed, with the numbers
     */
    public record Throughput(double tokensPerSecond, int textTokens, String formula) implements Serializable {
        private static final long serialVersionUID = 1L;
    }

    /**
     * Returns all bytes needed.
     *
     * @return weights, activations, workspace and staging
     */
    public long neededBytes() {
        return needs.totalBytes();
    }

    /** The report in two sentences, in GiB. */
    @Override
    public String toString() {
        String text = String.format(
                Locale.ROOT,
                "%s in %s needs %s GiB (weights %s, activations %s, workspace %s, staging %s); %s has %s GiB free of %s.",
                model,
                precision,
                gibibytes(neededBytes()),
                gibibytes(needs.weightBytes()),
                gibibytes(needs.activationBytes()),
                gibibytes(needs.workspaceBytes()),
                gibibytes(needs.stagingBytes()),
                device,
                gibibytes(freeBytes),
                gibibytes(totalBytes));
        return remedy.isEmpty() ? text : text + " " + remedy;
    }

    /** For instance 7.4, or 0.12. */
    static String gibibytes(long bytes) {
        double value = bytes / (double) (1L << 30);
        return String.format(Locale.ROOT, value < 1 ? "%.2f" : "%.1f", value);
    }
}
