// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedderOptions;
import io.embed4j.Precision;
import picocli.CommandLine.Option;

/** Where a model runs that something else has named. */
final class RunOptions {

    @Option(
            names = {"-d", "--device"},
            paramLabel = "DEVICE",
            description = "auto, cpu or cuda:N. Default: ${DEFAULT-VALUE}.")
    private String device = "auto";

    @Option(
            names = {"-p", "--precision"},
            paramLabel = "PRECISION",
            converter = LoadOptions.PrecisionConverter.class,
            description = "auto, fp32, fp16, bf16 or int8. Default: ${DEFAULT-VALUE}.")
    private Precision precision = Precision.FP32;

    /** As the user named it. */
    String device() {
        return device;
    }

    EmbedderOptions toEmbedderOptions(String model) {
        try {
            return EmbedderOptions.defaults()
                    .withModel(model)
                    .withDevice(device)
                    .withPrecision(precision);
        } catch (IllegalArgumentException e) {
            throw CliException.usage(String.valueOf(e.getMessage()));
        }
    }
}
