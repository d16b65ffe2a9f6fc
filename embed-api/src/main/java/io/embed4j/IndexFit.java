// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.Locale;

/**
 * Whether an index fits a device's memory, with the arithmetic.
 *
 * <pre>{@code
 * IndexFit fit = VectorIndex.builder().storage(Precision.FP16).fit(384, 1_000_000);
 * System.out.println(fit);
 * if (fit.deviceBytes() < 1_000_000L * 384 * 2) throw new AssertionError(fit);
 * }</pre>
 *
 * @param rows N
 * @param dimension D
 * @param device the device's id
 * @param storage how vectors are stored where they are scanned
 * @param deviceBytes bytes needed on the device
 * @param hostBytes bytes of fp32 vectors kept in host memory beside them; a loaded index reads them from its files instead
 * @param freeBytes free memory of the device
 * @param totalBytes memory of the device
 * @since 0.1
 */
public record IndexFit(
        int rows,
        int dimension,
        String device,
        Precision storage,
        long deviceBytes,
        long hostBytes,
        long freeBytes,
        long totalBytes)
        implements Serializable {
    private static final long serialVersionUID = 1L;

    /**
     * Tells whether it fits.
     *
     * @return true if the device has as much free memory as is needed
     */
    public boolean fits() {
        return deviceBytes <= freeBytes;
    }

    /** The report in two sentences, in GiB. */
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "An index of %d x %d in %s needs %.2f GiB on %s%s, which has %.2f GiB free of %.2f. %s",
                rows,
                dimension,
                storage,
                gibibytes(deviceBytes),
                device,
                hostBytes == 0 ? "" : String.format(Locale.ROOT, " and %.2f on the host", gibibytes(hostBytes)),
                gibibytes(freeBytes),
                gibibytes(totalBytes),
                fits() ? "It fits." : "Use a smaller storage, fewer rows or another device.");
    }

    private static double gibibytes(long bytes) {
        return bytes / (double) (1L << 30);
    }
}
