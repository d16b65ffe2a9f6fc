// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.spec.DType;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the directory of a safetensors file: 8 bytes little-endian header length, a JSON header with dtype, shape and
 * offsets of every tensor, then the bytes. Nothing but the header is read; tensors are mapped where they are used.
 *
 * <p>Format: <a href="https://github.com/huggingface/safetensors#format">github.com/huggingface/safetensors</a>.
 */
public final class SafetensorsFile {
    private static final long MAX_HEADER_BYTES = 100_000_000;

    private SafetensorsFile() {}

    /**
     * Lists the tensors of a file.
     *
     * @return tensors by name, in the order of the header
     * @throws ModelFormatException if the file is missing, cut, or its header contradicts it
     */
    public static Map<String, WeightTensor> read(Path file) {
        try {
            Path real = file.toRealPath();
            try (FileChannel channel = FileChannel.open(real, StandardOpenOption.READ)) {
                return read(real, channel);
            }
        } catch (NoSuchFileException e) {
            throw new ModelFormatException(HelpTopic.DAMAGED_WEIGHTS, file + " is missing.", e);
        } catch (IOException e) {
            throw new ModelFormatException(HelpTopic.DAMAGED_WEIGHTS, file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static Map<String, WeightTensor> read(Path file, FileChannel channel) throws IOException {
        long fileBytes = channel.size();
        if (fileBytes < Long.BYTES) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS, file + " has " + fileBytes + " bytes, too few for a safetensors file.");
        }
        long headerBytes = readFully(channel, 0, Long.BYTES).getLong();
        if (headerBytes < 2 || headerBytes > Math.min(MAX_HEADER_BYTES, fileBytes - Long.BYTES)) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS,
                    file + " claims a header of " + headerBytes + " bytes, but has " + (fileBytes - Long.BYTES)
                            + " bytes left. It is cut, or not a safetensors file.");
        }
        ByteBuffer header = readFully(channel, Long.BYTES, (int) headerBytes);
        JsonConfig json = JsonConfig.parse(
                file + " header", StandardCharsets.UTF_8.decode(header).toString());
        long dataStart = Long.BYTES + headerBytes;
        Map<String, WeightTensor> tensors = new LinkedHashMap<>();
        for (String name : json.json().keySet()) {
            if (!name.equals("__metadata__")) {
                JsonConfig entry = json.optionalObject(name)
                        .orElseThrow(() -> new ModelFormatException(
                                HelpTopic.DAMAGED_WEIGHTS, file + ": tensor " + name + " is null."));
                tensors.put(name, tensor(file, name, entry, dataStart, fileBytes));
            }
        }
        checkOverlaps(file, tensors);
        return tensors;
    }

    private static WeightTensor tensor(Path file, String name, JsonConfig entry, long dataStart, long fileBytes) {
        List<Long> offsets = entry.longs("data_offsets");
        long dataBytes = fileBytes - dataStart;
        if (offsets.size() != 2
                || offsets.get(0) < 0
                || offsets.get(1) < offsets.get(0)
                || offsets.get(1) > dataBytes) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS,
                    file + ": tensor " + name + " lies at " + offsets + ", but the data has " + dataBytes
                            + " bytes. The file is cut or damaged.");
        }
        List<Integer> shape = new ArrayList<>();
        for (long size : entry.longs("shape")) {
            if (size < 0 || size > Integer.MAX_VALUE) {
                throw new ModelFormatException(
                        HelpTopic.DAMAGED_WEIGHTS, file + ": tensor " + name + " has a size of " + size + ".");
            }
            shape.add((int) size);
        }
        DType type = type(file, name, entry.stringValue("dtype"));
        try {
            return new WeightTensor(
                    name,
                    type,
                    shape,
                    false,
                    new FileRegion(file, dataStart + offsets.get(0), offsets.get(1) - offsets.get(0)));
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(
                    HelpTopic.DAMAGED_WEIGHTS, file + ": tensor " + e.getMessage() + " The file is damaged.", e);
        }
    }

    private static DType type(Path file, String name, String dtype) {
        return switch (dtype) {
            case "F64" -> DType.FP64;
            case "F32" -> DType.FP32;
            case "F16" -> DType.FP16;
            case "BF16" -> DType.BF16;
            case "I64" -> DType.INT64;
            case "I32" -> DType.INT32;
            case "I8" -> DType.INT8;
            case "U8", "BOOL" -> DType.UINT8;
            default ->
                throw new ModelFormatException(
                        HelpTopic.DAMAGED_WEIGHTS,
                        file + ": tensor " + name + " has dtype " + dtype
                                + ". Known are F64, F32, F16, BF16, I64, I32, I8, U8 and BOOL.");
        };
    }

    private static void checkOverlaps(Path file, Map<String, WeightTensor> tensors) {
        List<WeightTensor> byOffset = new ArrayList<>(tensors.values());
        byOffset.sort(Comparator.comparingLong(
                        (WeightTensor tensor) -> tensor.region().offset())
                .thenComparing(tensor -> tensor.region().length()));
        for (int i = 1; i < byOffset.size(); i++) {
            FileRegion before = byOffset.get(i - 1).region();
            if (before.offset() + before.length() > byOffset.get(i).region().offset()) {
                throw new ModelFormatException(
                        HelpTopic.DAMAGED_WEIGHTS,
                        file + ": tensors " + byOffset.get(i - 1).name() + " and "
                                + byOffset.get(i).name() + " overlap. The file is damaged.");
            }
        }
    }

    private static ByteBuffer readFully(FileChannel channel, long position, int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, position + buffer.position()) < 0) {
                throw new IOException("the file ends within its header");
            }
        }
        return buffer.flip();
    }
}
