// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedderOptions;
import io.embed4j.Precision;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options that decide what is loaded and where. */
final class LoadOptions {

    @Option(
            names = {"-m", "--model"},
            paramLabel = "MODEL",
            description =
                    "A model directory in Hugging Face layout; hf:ORG/NAME or hf:ORG/NAME@REVISION for a model of the"
                            + " Hugging Face Hub; classpath:FOLDER; embedded:NAME. Default: ${DEFAULT-VALUE}.")
    private String model = EmbedderOptions.DEFAULT_MODEL;

    @Option(
            names = {"-d", "--device"},
            paramLabel = "DEVICE",
            description = "auto, cpu, cuda:N or cuda:*. Default: ${DEFAULT-VALUE}.")
    private String device = "auto";

    @Option(
            names = {"-p", "--precision"},
            paramLabel = "PRECISION",
            converter = PrecisionConverter.class,
            description = "auto, fp32, fp16, bf16 or int8. Default: ${DEFAULT-VALUE}.")
    private Precision precision = Precision.FP32;

    @Option(
            names = "--max-batch-tokens",
            paramLabel = "N",
            description = "Most tokens in one batch. Default: 0, the backend chooses.")
    private int maxBatchTokens;

    @Option(
            names = "--memory-margin",
            paramLabel = "SHARE",
            description =
                    "Share of a device's free memory that stays free where device, precision or budget are chosen."
                            + " Default: ${DEFAULT-VALUE}.")
    private double memoryMargin = EmbedderOptions.DEFAULT_MEMORY_MARGIN;

    EmbedderOptions toEmbedderOptions() {
        try {
            return new EmbedderOptions(model, device, precision, maxBatchTokens, memoryMargin);
        } catch (IllegalArgumentException e) {
            throw CliException.usage(String.valueOf(e.getMessage()));
        }
    }

    /** Reads a precision. */
    static final class PrecisionConverter implements ITypeConverter<Precision> {
        @Override
        public Precision convert(String text) {
            try {
                return Precision.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
