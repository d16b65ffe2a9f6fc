// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.math;

import io.embed4j.spec.DType;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Weights written into small files by the test. */
final class FakeWeights implements WeightSource {
    private final Path folder;
    private final Map<String, WeightTensor> tensors = new HashMap<>();

    FakeWeights(Path folder) {
        this.folder = folder;
    }

    FakeWeights with(WeightRole role, int index, List<Integer> shape, float... values) {
        String name = role + "." + index;
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        tensors.put(name, tensor(folder, name, DType.FP32, shape, false, bytes));
        return this;
    }

    static WeightTensor tensor(
            Path folder, String name, DType type, List<Integer> shape, boolean transposed, ByteBuffer bytes) {
        try {
            byte[] all = new byte[bytes.capacity()];
            bytes.get(0, all);
            Path file = Files.write(folder.resolve(name), all);
            return new WeightTensor(name, type, shape, transposed, new FileRegion(file, 0, bytes.capacity()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public Optional<WeightTensor> find(WeightRole role, int index) {
        return Optional.ofNullable(tensors.get(role + "." + index));
    }
}
