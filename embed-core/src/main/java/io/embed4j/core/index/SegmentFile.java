// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.SafetensorsFile;
import io.embed4j.core.file.SafetensorsHeader;
import io.embed4j.core.index.IndexManifest.Entry;
import io.embed4j.spec.DType;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * A file of a saved index, in safetensors. A segment has {@code vectors} [n, D] fp32 and its ids: {@code ids} [n] int64, or
 * {@code id_ends} [n] int64 and {@code id_bytes} [m] uint8, where the UTF-8 bytes of one id follow those of the last. A list of
 * deleted rows has {@code deleted_rows} [m] int64, ascending.
 */
final class SegmentFile {
    private static final String VECTORS = "vectors";
    private static final String IDS = "ids";
    private static final String ID_ENDS = "id_ends";
    private static final String ID_BYTES = "id_bytes";
    private static final String DELETED = "deleted_rows";

    /** How much is written or checked at a time. */
    private static final int PIECE_BYTES = 1 << 20;

    /** How much is mapped at a time; a buffer holds less than 2 GiB. */
    private static final long MAPPED_BYTES = 1 << 30;

    private static final long MAX_ID_BYTES = Integer.MAX_VALUE - 8;

    private SegmentFile() {}

    /** Where the bytes of a file go: to the file and into its checksum. */
    private static final class Output {
        final FileChannel channel;
        final CRC32C checksum = new CRC32C();

        Output(FileChannel channel) {
            this.channel = channel;
        }

        void write(ByteBuffer bytes) throws IOException {
            checksum.update(bytes.duplicate());
            writeFully(channel, bytes);
        }
    }

    /** Writes the body of a file. */
    @FunctionalInterface
    private interface Body {
        void write(Output out) throws IOException;
    }

    static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Writes the rows from the first on. */
    static Entry write(Path file, IndexContent content, int firstRow) throws IOException {
        int rows = content.rows() - firstRow;
        int dimension = content.dimension();
        SafetensorsHeader header = new SafetensorsHeader().add(VECTORS, DType.FP32, rows, dimension);
        byte[][] names = new byte[content.stringIds() ? rows : 0][];
        if (content.stringIds()) {
            long bytes = 0;
            for (int i = 0; i < rows; i++) {
                names[i] =
                        String.valueOf(content.labels().names()[firstRow + i]).getBytes(StandardCharsets.UTF_8);
                bytes += names[i].length;
            }
            if (bytes > MAX_ID_BYTES) {
                throw new EmbedException(
                        HelpTopic.TOO_MANY_ROWS,
                        "The ids of " + rows + " rows have " + bytes + " bytes, more than a file of an index can hold,"
                                + " 2147483639. Save more often, or choose shorter ids.");
            }
            header.add(ID_ENDS, DType.INT64, rows).add(ID_BYTES, DType.UINT8, bytes);
        } else {
            header.add(IDS, DType.INT64, rows);
        }
        return write(file, rows, header, out -> {
            writeVectors(out, content, firstRow);
            if (content.stringIds()) {
                long[] ends = new long[rows];
                long end = 0;
                for (int i = 0; i < rows; i++) {
                    end += names[i].length;
                    ends[i] = end;
                }
                writeLongs(out, ends, 0, rows);
                ByteBuffer all = ByteBuffer.allocate((int) end);
                for (byte[] name : names) {
                    all.put(name);
                }
                out.write(all.flip());
            } else {
                writeLongs(out, content.labels().numbers(), firstRow, rows);
            }
        });
    }

    private static void writeVectors(Output out, IndexContent content, int firstRow) throws IOException {
        int rowsAtATime = Math.max(1, PIECE_BYTES / Float.BYTES / content.dimension());
        for (int row = firstRow; row < content.rows(); row += Math.min(rowsAtATime, content.rows() - row)) {
            float[] values = content.vectors().read(row, Math.min(rowsAtATime, content.rows() - row));
            ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(values);
            out.write(bytes);
        }
    }

    private static void writeLongs(Output out, long[] values, int from, int count) throws IOException {
        int atATime = PIECE_BYTES / Long.BYTES;
        for (int done = 0; done < count; done += atATime) {
            int now = Math.min(atATime, count - done);
            ByteBuffer bytes = ByteBuffer.allocate(now * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asLongBuffer().put(values, from + done, now);
            out.write(bytes);
        }
    }

    static Entry writeDeleted(Path file, BitSet deleted) throws IOException {
        long[] rows = deleted.stream().asLongStream().toArray();
        SafetensorsHeader header = new SafetensorsHeader().add(DELETED, DType.INT64, rows.length);
        return write(file, rows.length, header, out -> writeLongs(out, rows, 0, rows.length));
    }

    private static Entry write(Path file, int rows, SafetensorsHeader header, Body body) throws IOException {
        // A crash may have left a file of this name, which a reader of an older manifest may still have mapped.
        Files.deleteIfExists(file);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            Output out = new Output(channel);
            out.write(header.toBytes());
            body.write(out);
            channel.force(true);
            return new Entry(String.valueOf(file.getFileName()), rows, channel.size(), (int) out.checksum.getValue());
        } catch (IOException | RuntimeException | Error e) {
            Files.deleteIfExists(file);
            throw e;
        }
    }

    /** Refuses a file that is not the one that the manifest names, byte for byte. */
    static void verify(Path file, Entry entry) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() != entry.bytes()) {
                throw refused(file + " has " + channel.size() + " bytes, but the manifest says " + entry.bytes()
                        + ": it was cut or replaced. Restore it from a copy.");
            }
            CRC32C checksum = new CRC32C();
            ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
            while (channel.read(piece.clear()) >= 0) {
                checksum.update(piece.flip());
            }
            if ((int) checksum.getValue() != entry.checksum()) {
                throw refused(file + " has the checksum " + IndexManifest.hex((int) checksum.getValue())
                        + ", but the manifest says " + IndexManifest.hex(entry.checksum())
                        + ": it is damaged. Restore it from a copy.");
            }
        } catch (NoSuchFileException e) {
            throw refused(file + " is missing. Restore it from a copy.", e);
        } catch (IOException e) {
            throw refused(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** Maps a segment. */
    static void read(Path file, Entry entry, IndexManifest manifest, SavedIndex.SegmentVisitor visitor) {
        Map<String, WeightTensor> tensors = SafetensorsFile.read(file);
        try {
            WeightTensor vectors =
                    tensor(file, tensors, VECTORS, DType.FP32, List.of(entry.rows(), manifest.dimension()));
            visitor.visit(mapRows(vectors, manifest.dimension()), labels(file, tensors, entry, manifest), entry.rows());
        } catch (IOException e) {
            throw refused(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static RowIds.Labels labels(
            Path file, Map<String, WeightTensor> tensors, Entry entry, IndexManifest manifest) throws IOException {
        if (!manifest.stringIds()) {
            return new RowIds.Labels(
                    longs(tensor(file, tensors, IDS, DType.INT64, List.of(entry.rows()))), new String[0]);
        }
        long[] ends = longs(tensor(file, tensors, ID_ENDS, DType.INT64, List.of(entry.rows())));
        long length = ends.length == 0 ? 0 : ends[ends.length - 1];
        WeightTensor bytes =
                tensor(file, tensors, ID_BYTES, DType.UINT8, List.of((int) Math.min(length, Integer.MAX_VALUE)));
        ByteBuffer all = bytes.region().map();
        @Nullable String[] names = new String[entry.rows()];
        int from = 0;
        for (int i = 0; i < names.length; i++) {
            if (ends[i] < from || ends[i] > all.capacity()) {
                throw refused(file + ": the id of row " + i + " ends at " + ends[i] + ". The file is damaged.");
            }
            byte[] name = new byte[(int) ends[i] - from];
            all.get(from, name);
            names[i] = new String(name, StandardCharsets.UTF_8);
            from = (int) ends[i];
        }
        return new RowIds.Labels(new long[0], names);
    }

    private static List<FloatBuffer> mapRows(WeightTensor vectors, int dimension) throws IOException {
        FileRegion all = vectors.region();
        long rowBytes = (long) dimension * Float.BYTES;
        long pieceBytes = Math.max(1, MAPPED_BYTES / rowBytes) * rowBytes;
        List<FloatBuffer> pieces = new ArrayList<>();
        for (long at = 0; at < all.length(); at += pieceBytes) {
            FileRegion piece = new FileRegion(all.file(), all.offset() + at, Math.min(pieceBytes, all.length() - at));
            pieces.add(piece.map().asFloatBuffer());
        }
        return pieces;
    }

    private static long[] longs(WeightTensor tensor) throws IOException {
        long[] values = new long[Math.toIntExact(tensor.elements())];
        tensor.region().map().asLongBuffer().get(values);
        return values;
    }

    static BitSet readDeleted(Path file, Entry entry, int rows) {
        try {
            BitSet deleted = new BitSet(rows);
            WeightTensor tensor = tensor(file, SafetensorsFile.read(file), DELETED, DType.INT64, List.of(entry.rows()));
            for (long row : longs(tensor)) {
                if (row < 0 || row >= rows) {
                    throw refused(file + " names the row " + row + " of " + rows + ". The file is damaged.");
                }
                deleted.set((int) row);
            }
            return deleted;
        } catch (IOException e) {
            throw refused(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static WeightTensor tensor(
            Path file, Map<String, WeightTensor> tensors, String name, DType type, List<Integer> shape) {
        WeightTensor tensor = tensors.get(name);
        if (tensor == null || tensor.type() != type || !tensor.shape().equals(shape)) {
            throw refused(file + " must hold a tensor \"" + name + "\" " + type + shape
                    + (tensor == null ? "." : ", found " + tensor.type() + tensor.shape() + "."));
        }
        return tensor;
    }

    private static ModelFormatException refused(String message) {
        return new ModelFormatException(HelpTopic.INDEX_FILE, message);
    }

    private static ModelFormatException refused(String message, Throwable cause) {
        return new ModelFormatException(HelpTopic.INDEX_FILE, message, cause);
    }
}
