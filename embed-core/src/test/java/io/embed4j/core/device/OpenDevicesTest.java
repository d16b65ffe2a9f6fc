// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.spi.DeviceId;
import org.junit.jupiter.api.Test;

class OpenDevicesTest {

    @Test
    void tenantsShareADeviceAndTheLastOneClosesIt() {
        FakeBackend backend = new FakeBackend("shared", 0, FakeBackend.usable("shared:0"));
        DeviceId id = new DeviceId("shared", 0);
        OpenDevices.Lease first = OpenDevices.lease(backend, id);
        OpenDevices.Lease second = OpenDevices.lease(backend, id);
        assertThat(second.device()).isSameAs(first.device());
        assertThat(backend.open()).hasValue(1);
        first.close();
        first.close();
        assertThat(backend.open()).as("the second tenant is still there").hasValue(1);
        second.release().run();
        assertThat(backend.open()).hasValue(0);
        try (OpenDevices.Lease third = OpenDevices.lease(backend, id)) {
            assertThat(third.device()).isNotSameAs(first.device());
            assertThat(backend.open()).hasValue(1);
        }
        assertThat(backend.open()).hasValue(0);
    }

    @Test
    void devicesAreToldApart() {
        FakeBackend backend = new FakeBackend("apart", 0);
        try (OpenDevices.Lease zero = OpenDevices.lease(backend, new DeviceId("apart", 0));
                OpenDevices.Lease one = OpenDevices.lease(backend, new DeviceId("apart", 1))) {
            assertThat(zero.device()).isNotSameAs(one.device());
            assertThat(backend.open()).hasValue(2);
        }
    }
}
