// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;

/**
 * What is fixed when an embedder is built. Serializable, so that Spark and Flink jobs can ship it.
 *
 * <pre>{@code
 * EmbedderOptions options = EmbedderOptions.defaults().withDevice("cpu").withMaxBatchTokens(2048);
 * try (Embedder embedder = Embedder.builder().options(options).build()) {
 *     System.out.println(embedder.device());
 * }
 * }</pre>
 *
 * @param model a directory in Hugging Face layout; {@code hf:ORG/NAME} or {@code hf:ORG/NAME@REVISION} for a model of the
 *     Hugging Face Hub; {@code classpath:FOLDER} for a folder on the class path; {@code embedded:NAME} for a model that
 *     is an artifact of its own
 * @param device {@code auto}, {@code cpu}, {@code cuda:0}, {@code cuda:*}
 * @param precision precision of the computation
 * @param maxBatchTokens most tokens in one batch; 0 lets the backend choose
 * @param memoryMargin share of a device's free memory, 0 to below 1, that is left free where device, precision or budget
 *     are chosen for you; what you name may take all of it
 * @since 0.1
 */
public record EmbedderOptions(String model, String device, Precision precision, int maxBatchTokens, double memoryMargin)
        implements Serializable {

    /** The model on the class path that is used when none is named: all-MiniLM-L6-v2. */
    public static final String DEFAULT_MODEL = "embedded:all-minilm-l6-v2";

    /** The memory margin where none is named: a tenth of what is free. */
    public static final double DEFAULT_MEMORY_MARGIN = 0.1;

    private static final long serialVersionUID = 2L;

    /** Checks the values. */
    public EmbedderOptions {
        if (model.isBlank()) {
            throw new IllegalArgumentException("The model is blank. Name a directory or " + DEFAULT_MODEL + ".");
        }
        if (!device.matches("auto|cpu|cuda:(\\d{1,4}|\\*)")) {
            throw new IllegalArgumentException(
                    "Unknown device \"" + device + "\". Use auto, cpu, cuda:N (for instance cuda:0) or cuda:*.");
        }
        if (maxBatchTokens < 0) {
            throw new IllegalArgumentException(
                    "maxBatchTokens must be positive, or 0 to let the backend choose; found " + maxBatchTokens + ".");
        }
        if (!(memoryMargin >= 0 && memoryMargin < 1)) {
            throw new IllegalArgumentException("memoryMargin is the share of free memory that is left free, from 0 to"
                    + " below 1; found " + memoryMargin + ".");
        }
    }

    /**
     * The embedded default model, device {@code auto}, fp32.
     *
     * @return the defaults
     */
    public static EmbedderOptions defaults() {
        return new EmbedderOptions(DEFAULT_MODEL, "auto", Precision.FP32, 0, DEFAULT_MEMORY_MARGIN);
    }

    /**
     * With another model.
     *
     * @param model a directory, {@code hf:ORG/NAME}, {@code classpath:FOLDER} or {@code embedded:NAME}
     * @return a copy
     */
    public EmbedderOptions withModel(String model) {
        return new EmbedderOptions(model, device, precision, maxBatchTokens, memoryMargin);
    }

    /**
     * With another device.
     *
     * @param device {@code auto}, {@code cpu}, {@code cuda:0}, {@code cuda:*}
     * @return a copy
     */
    public EmbedderOptions withDevice(String device) {
        return new EmbedderOptions(model, device, precision, maxBatchTokens, memoryMargin);
    }

    /**
     * With another precision.
     *
     * @param precision precision of the computation
     * @return a copy
     */
    public EmbedderOptions withPrecision(Precision precision) {
        return new EmbedderOptions(model, device, precision, maxBatchTokens, memoryMargin);
    }

    /**
     * With another token budget.
     *
     * @param maxBatchTokens most tokens in one batch; 0 lets the backend choose
     * @return a copy
     */
    public EmbedderOptions withMaxBatchTokens(int maxBatchTokens) {
        return new EmbedderOptions(model, device, precision, maxBatchTokens, memoryMargin);
    }

    /**
     * With another memory margin.
     *
     * @param memoryMargin share of a device's free memory that choices leave free, 0 to below 1
     * @return a copy
     */
    public EmbedderOptions withMemoryMargin(double memoryMargin) {
        return new EmbedderOptions(model, device, precision, maxBatchTokens, memoryMargin);
    }
}
