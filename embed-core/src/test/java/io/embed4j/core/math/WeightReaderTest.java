// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.ModelFormatException;
import io.embed4j.spec.DType;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightReaderTest {
    @TempDir
    private Path folder;

    private static ByteBuffer bytes(int count) {
        return ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    }

    private WeightTensor tensor(DType type, List<Integer> shape, boolean transposed, ByteBuffer bytes) {
        return FakeWeights.tensor(folder, "w", type, shape, transposed, bytes);
    }

    @Test
    void everyFloatingTypeIsRead() {
        assertThat(WeightReader.read(tensor(
                        DType.FP64,
                        List.of(2),
                        false,
                        bytes(16).putDouble(1 / 3.0).putDouble(-1e-300))))
                .containsExactly((float) (1 / 3.0), -0.0f);
        assertThat(WeightReader.read(tensor(
                        DType.FP32, List.of(2), false, bytes(8).putFloat(1.5f).putFloat(Float.MIN_VALUE))))
                .containsExactly(1.5f, Float.MIN_VALUE);
        assertThat(WeightReader.read(tensor(
                        DType.FP16,
                        List.of(3),
                        false,
                        bytes(6).putShort((short) 0x3c00)
                                .putShort((short) 0xc000)
                                .putShort((short) 0x7bff))))
                .containsExactly(1f, -2f, 65504f);
        assertThat(WeightReader.read(tensor(
                        DType.BF16,
                        List.of(3),
                        false,
                        bytes(6).putShort((short) 0x3f80)
                                .putShort((short) 0xc000)
                                .putShort((short) 0xff80))))
                .containsExactly(1f, -2f, Float.NEGATIVE_INFINITY);
    }

    @Test
    void whatIsStoredTransposedComesAsPyTorchHasIt() {
        ByteBuffer inByOut = bytes(24);
        for (int i = 0; i < 6; i++) {
            inByOut.putFloat(i);
        }
        // Stored [in = 2, out = 3]: 0 1 2 / 3 4 5. As [out, in]: 0 3 / 1 4 / 2 5.
        assertThat(WeightReader.read(tensor(DType.FP32, List.of(3, 2), true, inByOut)))
                .containsExactly(0, 3, 1, 4, 2, 5);
        assertThat(WeightReader.read(tensor(DType.FP32, List.of(3, 2), false, inByOut)))
                .containsExactly(0, 1, 2, 3, 4, 5);
    }

    @Test
    void integersAreNoWeights() {
        WeightTensor quantized = tensor(DType.INT8, List.of(4), false, bytes(4));
        assertThatThrownBy(() -> WeightReader.read(quantized))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("Weight w is stored as INT8, not as floats.");
    }

    @Test
    void aFileThatWasCutMeanwhileIsNamed() throws IOException {
        WeightTensor weight = tensor(DType.FP32, List.of(2), false, bytes(8));
        Path file = Files.write(weight.region().file(), new byte[7]);
        assertThatThrownBy(() -> WeightReader.read(weight))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("Weight w cannot be read: " + file
                        + " has 7 bytes, but a weight ends at 8. The file was cut" + " after it was opened.");
    }
}
