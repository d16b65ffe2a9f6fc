// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.Precision;
import io.embed4j.testkit.EmbedderContract;
import java.util.List;

/** The contract on a CUDA device: the emulated one, or a GPU where there is one. */
@RequiresDevice
class CudaEmbedderContractTest extends EmbedderContract {
    @Override
    protected String device() {
        return "cuda:0";
    }

    @Override
    protected String engine() {
        return "CUDA";
    }

    @Override
    protected List<Precision> precisions() {
        return List.of(Precision.FP32, Precision.FP16, Precision.BF16);
    }

    @Override
    protected Precision refusedPrecision() {
        return Precision.INT8;
    }
}
