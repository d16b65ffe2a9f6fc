// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import io.embed4j.Precision;
import io.embed4j.spec.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The checks of the values that pass between core and backends. */
class SeamTest {

    @Test
    void rowsArePackedWithoutPadding() {
        PackedBatch batch = PackedBatch.of(
                List.of(new int[] {5, 6, 7}, new int[] {8}),
                List.of(new int[] {0, 0, 1}, new int[] {1}),
                List.of(new int[] {2, 1, 3}, new int[] {2}),
                new int[] {1, 0});
        assertThat(batch.tokenIds()).containsExactly(5, 6, 7, 8);
        assertThat(batch.typeIds()).containsExactly(0, 0, 1, 1);
        assertThat(batch.positions()).containsExactly(2, 1, 3, 2);
        assertThat(batch.cuSeqLens()).containsExactly(0, 3, 4);
        assertThat(batch.poolStarts()).containsExactly(1, 0);
        assertThat(List.of(batch.rows(), batch.tokens(), batch.longestRow(), batch.length(1)))
                .containsExactly(2, 4, 3, 1);
    }

    @Test
    void emptyBatchesAndRowsAreRefused() {
        assertThatThrownBy(() -> PackedBatch.of(List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("A batch needs at least one row.");
        assertThatThrownBy(() -> PackedBatch.of(List.of(new int[] {1}, new int[0])))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Row 1 has no tokens.");
    }

    @Test
    void typesAndPoolStartsMustFitTheRows() {
        List<int[]> rows = List.of(new int[] {5, 6}, new int[] {7});
        assertThatThrownBy(() -> PackedBatch.of(rows, List.of(new int[2]), rows, new int[2]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Sizes do not fit: 2 rows, 1 rows of token types, 2 of positions, 2 pool starts.");
        assertThatThrownBy(() -> PackedBatch.of(rows, List.of(new int[2], new int[1]), rows, new int[1]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Sizes do not fit: 2 rows, 2 rows of token types, 2 of positions, 1 pool starts.");
        assertThatThrownBy(() -> PackedBatch.of(rows, List.of(new int[2], new int[2]), rows, new int[2]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Row 1 has 1 tokens but 2 token types and 1 positions.");
    }

    @Test
    void limitsAdmitAnySingleRow() {
        Encoder.Limits limits = new Encoder.Limits(100, 10_000, 1);
        assertThat(limits.admits(1, 5000, 5000)).isTrue();
        assertThat(limits.admits(2, 100, 70)).isTrue();
        assertThat(limits.admits(2, 101, 70)).isFalse();
        assertThat(limits.admits(2, 100, 71)).isFalse();
        assertThat(limits.admits(1_000_000, 100, 1_000_000)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"cpu, cpu, 0, cpu", "cuda:0, cuda, 0, cuda:0", "cuda:12, cuda, 12, cuda:12", "cuda, cuda, 0, cuda:0"})
    void deviceIdsAreReadAsTheyArePrinted(String text, String backend, int ordinal, String printed) {
        assertThat(DeviceId.parse(text))
                .isEqualTo(new DeviceId(backend, ordinal))
                .hasToString(printed);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "cuda:", "cuda:x", "CUDA:0", "cuda:00000", ":0"})
    void otherDeviceIdsAreNamed(String text) {
        assertThatThrownBy(() -> DeviceId.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Unknown device \"" + text + "\". Use cpu or cuda:N, for instance cuda:0.");
    }

    @Test
    void aWeightsShapeMustFitItsBytes() {
        Path file = Path.of("model.safetensors");
        assertThat(new WeightTensor("w", DType.FP16, List.of(3, 5), false, new FileRegion(file, 8, 30)).elements())
                .isEqualTo(15);
        assertThat(new WeightTensor("scalar", DType.FP32, List.of(), false, new FileRegion(file, 8, 4)).elements())
                .isEqualTo(1);
        assertThatThrownBy(() -> new WeightTensor("w", DType.FP16, List.of(3, 5), false, new FileRegion(file, 8, 60)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("w of shape [3, 5] in FP16 cannot have 60 bytes.");
        assertThatThrownBy(() -> new WeightTensor("w", DType.FP32, List.of(-1), false, new FileRegion(file, 8, 4)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("w of shape [-1] in FP32 cannot have 4 bytes.");
        List<Integer> huge = List.of(Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE);
        assertThatThrownBy(() -> new WeightTensor("w", DType.FP32, huge, false, new FileRegion(file, 8, 4)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("w of shape [2147483647, 2147483647, 2147483647] in FP32 cannot have 4 bytes.");
    }

    @Test
    void aRegionIsMappedLittleEndianAndOnlyWithinItsFile(@TempDir Path folder) throws IOException {
        Path file = Files.write(folder.resolve("bytes"), new byte[] {9, 1, 2, 0, 0, 7});
        assertThat(new FileRegion(file, 1, 4).map().getInt()).isEqualTo(0x201);
        assertThat(new FileRegion(file, 6, 0).map().remaining()).isZero();
        assertThatThrownBy(() -> new FileRegion(file, 3, 4).map())
                .isInstanceOf(IOException.class)
                .hasMessage(file + " has 6 bytes, but a weight ends at 7. The file was cut after it was opened.");
        assertThatThrownBy(() -> new FileRegion(file, 0, 1L << 31).map())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("2147483648 bytes");
        assertThatThrownBy(() -> new FileRegion(file, -1, 4))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("A file region cannot lie at -1 + 4.");
        assertThatThrownBy(() -> new FileRegion(file, Long.MAX_VALUE, 4).map()).isInstanceOf(IOException.class);
    }

    @Test
    void aRegionIsReadInPiecesThatCutNoNumber(@TempDir Path folder) throws IOException {
        int longs = 20_001;
        ByteBuffer bytes = ByteBuffer.allocate(3 + longs * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.position(3);
        for (int i = 0; i < longs; i++) {
            bytes.putLong(i);
        }
        Path file = Files.write(folder.resolve("longs"), bytes.array());
        List<Long> read = new ArrayList<>();
        List<Integer> pieces = new ArrayList<>();
        new FileRegion(file, 3, (long) longs * Long.BYTES).read(piece -> {
            pieces.add(piece.remaining());
            while (piece.hasRemaining()) {
                read.add(piece.getLong());
            }
        });
        assertThat(read).isEqualTo(LongStream.range(0, longs).boxed().toList());
        assertThat(pieces).containsExactly(1 << 16, 1 << 16, longs * Long.BYTES - (1 << 17));
        new FileRegion(file, 3, 0).read(piece -> fail("no bytes, no piece"));
        assertThatThrownBy(() -> new FileRegion(file, 4, (long) longs * Long.BYTES).read(piece -> {}))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("The file was cut after it was opened.");
    }

    @Test
    void encoderOptionsHoldTheLongestText() {
        assertThat(new EncoderOptions("m", Precision.FP32, 512, 0, List.of()).maxBatchTokens())
                .isZero();
        assertThatThrownBy(() -> new EncoderOptions("m", Precision.FP32, 512, 511, List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "maxBatchTokens 511 is less than the model's longest text of 512 tokens. Raise it to at least"
                                + " 512, or leave it at 0.");
        assertThatThrownBy(() -> new EncoderOptions("m", Precision.AUTO, 512, 0, List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Precision AUTO must be resolved before an encoder is loaded.");
        assertThatThrownBy(() -> new EncoderOptions("m", Precision.FP32, 0, 0, List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The longest text must have tokens, found 0.");
    }

    @Test
    void anIndexHasADimensionAndFloats() {
        assertThatThrownBy(() -> IndexSpec.exact(0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The index dimension must be positive, found 0.");
        assertThatThrownBy(() -> new IndexSpec(3, DType.FP64, IndexSpec.Rescoring.EXACT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("An index stores FP32, FP16 or BF16, not FP64.");
    }

    @Test
    void aSelectionIsThatOfItsBits() {
        for (int rows : new int[] {0, 1, 63, 64, 65, 130}) {
            BitSet bits = new BitSet();
            for (int row = 0; row < 200; row += 3) {
                bits.set(row);
            }
            RowSelection all = RowSelection.first(rows);
            RowSelection third = RowSelection.of(rows, bits);
            assertThat(all.isAll()).isTrue();
            assertThat(third.isAll()).isFalse();
            assertThat(all.count()).isEqualTo(rows);
            assertThat(third.count()).isEqualTo((rows + 2) / 3);
            for (int row = -1; row < 300; row++) {
                boolean below = row >= 0 && row < rows;
                assertThat(all.contains(row)).isEqualTo(below);
                assertThat(third.contains(row)).isEqualTo(below && row % 3 == 0);
                if (row >= 0) {
                    assertThat((all.word(row / 64) >>> row % 64 & 1) == 1).isEqualTo(below);
                    assertThat((third.word(row / 64) >>> row % 64 & 1) == 1).isEqualTo(below && row % 3 == 0);
                }
            }
            bits.clear();
            assertThat(third.count()).as("a copy").isEqualTo((rows + 2) / 3);
        }
        assertThatThrownBy(() -> RowSelection.first(-1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("A selection cannot be of -1 rows.");
    }
}
