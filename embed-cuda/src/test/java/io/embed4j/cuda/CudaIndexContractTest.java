// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.testkit.DeviceIndexContract;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** The index of a CUDA device: the emulated one, or a GPU where there is one. */
@RequiresDevice
class CudaIndexContractTest extends DeviceIndexContract {
    private static final int USUAL_DIMENSION = 384;

    private @Nullable Device device;

    @BeforeEach
    void openDevice() {
        device = new CudaBackendProvider().open(DeviceId.parse("cuda:0"));
    }

    /** The emulated device multiplies far slower than a CPU: what others do is left to the full run. */
    @Override
    protected long work() {
        return 3_000_000;
    }

    @Override
    protected long fullWork(int dimension) {
        return dimension == USUAL_DIMENSION ? super.fullWork(dimension) : 10_000_000;
    }

    @AfterEach
    void closeDevice() {
        device().close();
    }

    @Override
    protected Device device() {
        if (device == null) {
            throw new IllegalStateException("openDevice has not run");
        }
        return device;
    }
}
