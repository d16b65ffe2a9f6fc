// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.Locale;

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
 * @param device the device's id
 * @param precision precision of the computation
 * @param weightBytes bytes of the weights on the device
 * @param activationBytes bytes of activations at the token budget
 * @param workspaceBytes bytes of workspaces and staging buffers
 * @param freeBytes free memory of the device
 * @param totalBytes memory of the device
 * @param verdict whether it fits
 * @param largestTokenBudget largest maxBatchTokens that fits; 0 if none does
 * @param remedy what would fit, in words; empty if it fits
 * @since 0.1
 */
public record FitReport(
        String model,
        String device,
        Precision precision,
        long weightBytes,
        long activationBytes,
        long workspaceBytes,
        long freeBytes,
        long totalBytes,
        Verdict verdict,
        int largestTokenBudget,
        String remedy)
        implements Serializable {

    private static final long serialVersionUID = 1L;

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
     * Returns all bytes needed.
     *
     * @return weights + activations + workspace
     */
    public long neededBytes() {
        return weightBytes + activationBytes + workspaceBytes;
    }

    /** The report in two sentences, in GiB. */
    @Override
    public String toString() {
        String text = String.format(
                Locale.ROOT,
                "%s in %s needs %s GiB (weights %s, activations %s, workspace %s); %s has %s GiB free of %s.",
                model,
                precision,
                gibibytes(neededBytes()),
                gibibytes(weightBytes),
                gibibytes(activationBytes),
                gibibytes(workspaceBytes),
                device,
                gibibytes(freeBytes),
                gibibytes(totalBytes));
        return remedy.isEmpty() ? text : text + " " + remedy;
    }

    private static String gibibytes(long bytes) {
        double value = bytes / (double) (1L << 30);
        return String.format(Locale.ROOT, value < 1 ? "%.2f" : "%.1f", value);
    }
}
