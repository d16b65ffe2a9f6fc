// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

/**
 * The model does not fit the device's free memory. The report says by how much, and what would fit.
 *
 * <pre>{@code
 * FitReport tooLarge = new FitReport(
 *         "org/large", "cuda:0", Precision.FP32, false, 16_384,
 *         new FitReport.Needs(7_900_000_000L, 1_300_000_000L, 500_000_000L, 0, 0, 0), 7_800_000_000L, 15_700_000_000L,
 *         FitReport.Verdict.DOES_NOT_FIT, new FitReport.Room(0, 0, Map.of()), null, "Use fp16.");
 * OutOfDeviceMemoryException e = new OutOfDeviceMemoryException(tooLarge);
 * if (!e.getMessage().contains("weights 7.4")) throw new AssertionError(e.getMessage());
 * }</pre>
 *
 * @since 0.1
 */
public class OutOfDeviceMemoryException extends EmbedException {
    private static final long serialVersionUID = 1L;

    /** The arithmetic behind the refusal. */
    private final FitReport report;

    /**
     * With the report, whose text becomes the message.
     *
     * @param report the arithmetic behind the refusal
     */
    public OutOfDeviceMemoryException(FitReport report) {
        super(HelpTopic.OUT_OF_DEVICE_MEMORY, report.toString());
        this.report = report;
    }

    /**
     * With the report and what the device said, for memory that was free when it was asked for and then was not.
     *
     * @param report the arithmetic behind the refusal
     * @param cause the device's refusal
     */
    public OutOfDeviceMemoryException(FitReport report, Throwable cause) {
        super(HelpTopic.OUT_OF_DEVICE_MEMORY, report.toString(), cause);
        this.report = report;
    }

    /**
     * Returns the arithmetic behind the refusal.
     *
     * @return bytes needed, free and total
     */
    public FitReport report() {
        return report;
    }
}
