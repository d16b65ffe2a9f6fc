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

    EmbedderOptions toEmbedderOptions() {
        try {
            return new EmbedderOptions(model, device, precision, maxBatchTokens);
        } catch (IllegalArgumentException e) {
            throw CliException.usage(String.valueOf(e.getMessage()));
        }
    }

    private static final class PrecisionConverter implements ITypeConverter<Precision> {
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
