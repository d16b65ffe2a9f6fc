// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.testkit.DeviceIndexContract;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CpuIndexTest extends DeviceIndexContract {
    private final Device device = new CpuBackendProvider().open(DeviceId.CPU);

    @Override
    protected Device device() {
        return device;
    }

    @AfterAll
    void closeDevice() {
        device.close();
    }
}
