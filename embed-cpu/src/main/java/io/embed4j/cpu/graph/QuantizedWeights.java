// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * What integer layers are built with, and the temporary file that takes their weights while a session is being opened. From
 * there ONNX Runtime maps and repacks them one by one; within the graph's message all of them would lie on the Java heap
 * and in ONNX Runtime's memory several times over, and the message may have 2 GiB at most.
 */
public final class QuantizedWeights implements AutoCloseable {
    private final Quantization quantization;
    private final Path file;
    private final FileChannel channel;

    private QuantizedWeights(Quantization quantization, Path file, FileChannel channel) {
        this.quantization = quantization;
        this.file = file;
        this.channel = channel;
    }

    /**
     * Makes the file, empty.
     *
     * @param quantization how weights are rounded
     * @throws EmbedException if the temporary directory cannot be written
     */
    public static QuantizedWeights create(Quantization quantization) {
        try {
            Path file = Files.createTempFile("embed4j-int8-", ".weights").toRealPath();
            return new QuantizedWeights(quantization, file, FileChannel.open(file, StandardOpenOption.WRITE));
        } catch (IOException e) {
            throw cannotWrite(e);
        }
    }

    /** Its real path. */
    public Path file() {
        return file;
    }

    Quantization quantization() {
        return quantization;
    }

    /**
     * Writes bytes behind those that are there.
     *
     * @return where they begin
     */
    long append(byte[] bytes) {
        try {
            long offset = channel.position();
            for (ByteBuffer left = ByteBuffer.wrap(bytes); left.hasRemaining(); ) {
                channel.write(left);
            }
            return offset;
        } catch (IOException e) {
            throw cannotWrite(e);
        }
    }

    private static EmbedException cannotWrite(IOException cause) {
        return new EmbedException(
                HelpTopic.CANNOT_WRITE,
                "Weights in int8 pass through the temporary directory " + System.getProperty("java.io.tmpdir")
                        + " while a model is loaded, a byte each, and it cannot be written: " + cause
                        + ". Set the system property java.io.tmpdir to one with more room.",
                cause);
    }

    /** Deletes the file. Sessions that still have parts of it mapped keep them. */
    @Override
    public void close() {
        try {
            channel.close();
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // Windows does not delete what is mapped.
            file.toFile().deleteOnExit();
        }
    }
}
