// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.IndexOptions;
import io.embed4j.Precision;
import picocli.CommandLine.Option;

/** How an index is held while it is searched. */
final class SearchOptions {

    @Option(
            names = "--storage",
            paramLabel = "STORAGE",
            converter = LoadOptions.PrecisionConverter.class,
            description = "How vectors are held on the device: fp32, fp16 or bf16. Results are the same. Default:"
                    + " ${DEFAULT-VALUE}.")
    private Precision storage = Precision.FP32;

    @Option(
            names = "--approximate",
            description = "Keep vectors in --storage only: less memory, and results with its rounding errors.")
    private boolean approximate;

    /**
     * The options of an index.
     *
     * @param device as the user named it
     */
    IndexOptions toIndexOptions(String device) {
        try {
            return IndexOptions.defaults()
                    .withDevice(device)
                    .withStorage(storage)
                    .withExact(!approximate);
        } catch (IllegalArgumentException e) {
            throw CliException.usage("--storage: " + e.getMessage());
        }
    }
}
