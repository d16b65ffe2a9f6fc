// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.Precision;
import java.util.List;

/**
 * What an encoder is loaded with.
 *
 * <pre>{@code
 * EncoderOptions options = new EncoderOptions("all-MiniLM-L6-v2", Precision.FP32, 256, 0, List.of());
 * }</pre>
 *
 * @param tenant the name under which the encoder stands in the device's ledger
 * @param precision precision of the computation; never {@link Precision#AUTO}
 * @param maxTokensPerText longest text in tokens
 * @param maxBatchTokens most tokens in one batch; 0 lets the backend choose. Never less than {@code maxTokensPerText}
 * @param sampleRows token ids of typical texts, for precisions that must see activations before they can round them;
 *     empty for plans and for precisions that need none
 * @since 0.1
 */
public record EncoderOptions(
        String tenant, Precision precision, int maxTokensPerText, int maxBatchTokens, List<int[]> sampleRows) {

    /** Copies the list and checks the values. */
    public EncoderOptions {
        sampleRows = List.copyOf(sampleRows);
        if (precision == Precision.AUTO) {
            throw new IllegalArgumentException("Precision AUTO must be resolved before an encoder is loaded.");
        }
        if (maxTokensPerText < 1) {
            throw new IllegalArgumentException("The longest text must have tokens, found " + maxTokensPerText + ".");
        }
        if (maxBatchTokens != 0 && maxBatchTokens < maxTokensPerText) {
            throw new IllegalArgumentException("maxBatchTokens " + maxBatchTokens
                    + " is less than the model's longest text of " + maxTokensPerText
                    + " tokens. Raise it to at least " + maxTokensPerText + ", or leave it at 0.");
        }
    }

    /**
     * With samples.
     *
     * @param sampleRows token ids of typical texts
     * @return a copy
     */
    public EncoderOptions withSampleRows(List<int[]> sampleRows) {
        return new EncoderOptions(tenant, precision, maxTokensPerText, maxBatchTokens, sampleRows);
    }

    /**
     * With another precision.
     *
     * @param precision precision of the computation
     * @return a copy
     */
    public EncoderOptions withPrecision(Precision precision) {
        return new EncoderOptions(tenant, precision, maxTokensPerText, maxBatchTokens, sampleRows);
    }

    /**
     * With another budget.
     *
     * @param maxBatchTokens most tokens in one batch; 0 lets the backend choose
     * @return a copy
     */
    public EncoderOptions withMaxBatchTokens(int maxBatchTokens) {
        return new EncoderOptions(tenant, precision, maxTokensPerText, maxBatchTokens, sampleRows);
    }
}
