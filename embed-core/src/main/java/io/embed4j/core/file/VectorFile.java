// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.VectorRows;
import io.embed4j.core.math.SixteenBits;
import io.embed4j.spec.DType;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Vectors in a file, read piece by piece: an array [N, D] in {@code .npy}, or a tensor [N, D] in {@code .safetensors}.
 *
 * <p>The .npy format: 6 bytes magic, 2 of version, 2 or 4 of header length, a header that is a Python dictionary, the numbers.
 * Source: <a href="https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html">numpy.lib.format</a>.
 */
public final class VectorFile implements VectorRows {
    private static final byte[] NPY_MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final int NPY_HEADER_LIMIT = 1 << 16;
    private static final Pattern NPY_HEADER =
            Pattern.compile("\\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \\(([0-9, ]*)\\), \\}\\s*");
    private static final Pattern TWO_SIZES = Pattern.compile("(\\d{1,18}), (\\d{1,9})");
    private static final Map<String, DType> NPY_TYPES = Map.of("<f8", DType.FP64, "<f4", DType.FP32, "<f2", DType.FP16);
    private static final long PIECE_BYTES = 1 << 20;

    private final FileRegion region;
    private final DType type;
    private final long rows;
    private final int dimension;
    private long next;

    private VectorFile(FileRegion region, DType type, long rows, int dimension) {
        this.region = region;
        this.type = type;
        this.rows = rows;
        this.dimension = dimension;
    }

    /**
     * Opens a file.
     *
     * @param file {@code .npy} or {@code .safetensors}
     * @param tensor the tensor's name; empty for the only one with two dimensions
     * @throws ModelFormatException if it cannot be read, or holds something else
     */
    public static VectorFile open(Path file, String tensor) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".safetensors")) {
            return ofTensor(file, tensor);
        }
        if (name.endsWith(".npy") && tensor.isEmpty()) {
            return ofArray(file);
        }
        throw new IllegalArgumentException("Vectors are read from .npy and"
                + (tensor.isEmpty() ? " .safetensors files" : ", for tensors with a name, .safetensors files")
                + ", not from "
                + file + ".");
    }

    private static VectorFile ofTensor(Path file, String name) {
        Map<String, WeightTensor> tensors = SafetensorsFile.read(file);
        List<WeightTensor> candidates = tensors.values().stream()
                .filter(tensor -> name.isEmpty()
                        ? tensor.shape().size() == 2
                        : tensor.name().equals(name))
                .toList();
        if (candidates.size() != 1) {
            throw refused(file + " holds " + candidates.size() + " tensors "
                    + (name.isEmpty() ? "with two dimensions" : "named \"" + name + "\"") + "; it has "
                    + tensors.values().stream()
                            .map(tensor -> tensor.name() + tensor.shape())
                            .collect(Collectors.joining(", "))
                    + ". Name one of them.");
        }
        WeightTensor tensor = candidates.get(0);
        if (tensor.shape().size() != 2
                || tensor.shape().get(1) < 1
                || !tensor.type().isFloatingPoint()) {
            throw refused(file + ": the tensor " + tensor.name() + " is " + tensor.type() + tensor.shape()
                    + "; vectors are floating point numbers [N, D].");
        }
        return new VectorFile(
                tensor.region(),
                tensor.type(),
                tensor.shape().get(0),
                tensor.shape().get(1));
    }

    private static VectorFile ofArray(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer start = read(channel, 0, NPY_MAGIC.length + 2);
            byte[] magic = new byte[NPY_MAGIC.length];
            start.get(magic);
            int version = start.get();
            if (!Arrays.equals(magic, NPY_MAGIC) || version < 1 || version > 3) {
                throw refused(file + " is no .npy file of version 1 to 3.");
            }
            int lengthBytes = version == 1 ? Short.BYTES : Integer.BYTES;
            ByteBuffer length = read(channel, NPY_MAGIC.length + 2, lengthBytes);
            int headerBytes = version == 1 ? Short.toUnsignedInt(length.getShort()) : length.getInt();
            if (headerBytes < 0 || headerBytes > NPY_HEADER_LIMIT) {
                throw refused(file + " claims a header of " + headerBytes + " bytes.");
            }
            long headerStart = NPY_MAGIC.length + 2L + lengthBytes;
            String header = StandardCharsets.ISO_8859_1
                    .decode(read(channel, headerStart, headerBytes))
                    .toString();
            return ofArray(file.toRealPath(), header, headerStart + headerBytes, channel.size());
        } catch (NoSuchFileException e) {
            throw refused(file + " is missing.", e);
        } catch (IOException e) {
            throw refused(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static VectorFile ofArray(Path file, String header, long dataStart, long fileBytes) {
        Matcher found = NPY_HEADER.matcher(header);
        if (!found.matches()) {
            throw refused(file + " has the header " + header.strip() + ", which is not understood.");
        }
        DType type = NPY_TYPES.get(found.group(1));
        Matcher shape = TWO_SIZES.matcher(found.group(3));
        if (type == null || found.group(2).equals("True") || !shape.matches()) {
            throw refused(
                    file + " holds " + header.strip()
                            + "; vectors are little-endian f8, f4 or f2 in C order, of shape (N, D). Use numpy.ascontiguousarray.");
        }
        long rows = Long.parseLong(shape.group(1));
        long dimension = Long.parseLong(shape.group(2));
        long available = (fileBytes - dataStart) / type.bytes();
        if (dimension < 1 || rows > available / dimension) {
            throw refused(file + " claims " + rows + " x " + dimension + " numbers, but has " + available
                    + ". It is cut or damaged.");
        }
        long bytes = rows * dimension * type.bytes();
        return new VectorFile(new FileRegion(file, dataStart, bytes), type, rows, (int) dimension);
    }

    private static ByteBuffer read(FileChannel channel, long position, int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, position + buffer.position()) < 0) {
                throw new IOException("the file ends within its header");
            }
        }
        return buffer.flip();
    }

    @Override
    public int dimension() {
        return dimension;
    }

    @Override
    public int read(FloatBuffer out) {
        long rowBytes = (long) dimension * type.bytes();
        long count = Math.min(out.remaining() / dimension, rows - next);
        long read = 0;
        while (read < count) {
            long piece = Math.min(count - read, Math.max(1, PIECE_BYTES / rowBytes));
            FileRegion part =
                    new FileRegion(region.file(), region.offset() + (next + read) * rowBytes, piece * rowBytes);
            try {
                widen(part.map(), (int) piece * dimension, out);
            } catch (IOException e) {
                throw refused(region.file() + " cannot be read: " + e.getMessage(), e);
            }
            read += piece;
        }
        next += count;
        return (int) count;
    }

    private void widen(ByteBuffer bytes, int count, FloatBuffer out) {
        if (type == DType.FP32) {
            out.put(bytes.asFloatBuffer());
            return;
        }
        for (int i = 0; i < count; i++) {
            out.put(
                    switch (type) {
                        case FP64 -> (float) bytes.getDouble();
                        case FP16 -> SixteenBits.halfToFloat(bytes.getShort());
                        default -> SixteenBits.bfloatToFloat(bytes.getShort());
                    });
        }
    }

    private static ModelFormatException refused(String message) {
        return new ModelFormatException(HelpTopic.VECTOR_FILE, message);
    }

    private static ModelFormatException refused(String message, Throwable cause) {
        return new ModelFormatException(HelpTopic.VECTOR_FILE, message, cause);
    }
}
