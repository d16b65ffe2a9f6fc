// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.util.Locale;

/** The file formats of vectors, told apart by the file's ending. */
enum OutputFormat {
    /** NumPy array. */
    NPY,
    /** JSON object per row. */
    JSONL,
    /** Hugging Face tensor file. */
    SAFETENSORS;

    /**
     * Finds the format of a file.
     *
     * @param file its name
     * @throws CliException if the ending is unknown
     */
    static OutputFormat of(String file) {
        for (OutputFormat format : values()) {
            if (file.toLowerCase(Locale.ROOT).endsWith("." + format.name().toLowerCase(Locale.ROOT))) {
                return format;
            }
        }
        throw CliException.usage("Unknown output format: --output " + file
                + ". Use a .npy, .safetensors or .jsonl file, or - for .jsonl on stdout.");
    }

    /**
     * Starts a file.
     *
     * @param channel empty, for writing; stays open
     * @param dimension D
     */
    VectorWriter writer(FileChannel channel, int dimension) throws IOException {
        return switch (this) {
            case NPY -> NpyWriter.start(channel, dimension);
            case JSONL -> new JsonlWriter(Channels.newOutputStream(channel));
            case SAFETENSORS -> SafetensorsWriter.start(channel, dimension);
        };
    }
}
