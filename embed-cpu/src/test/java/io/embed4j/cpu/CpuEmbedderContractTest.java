// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.Precision;
import io.embed4j.testkit.EmbedderContract;
import java.util.List;

/** The contract on the CPU. */
class CpuEmbedderContractTest extends EmbedderContract {
    @Override
    protected String device() {
        return "cpu";
    }

    @Override
    protected String engine() {
        return "ONNX Runtime 1.29.0 through DJL";
    }

    @Override
    protected List<Precision> precisions() {
        return List.of(Precision.FP32);
    }

    @Override
    protected List<Precision> quantizedPrecisions() {
        return List.of(Precision.INT8);
    }

    @Override
    protected Precision refusedPrecision() {
        return Precision.BF16;
    }
}
