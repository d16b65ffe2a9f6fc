// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DeviceReport;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.spi.BackendProvider;
import io.embed4j.spi.Device;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceProbe;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BackendsTest {
    private static final DeviceProbe NO_DRIVER = DeviceProbe.unusable(
            new DeviceId("cuda", 0), "The NVIDIA driver 470 is too old.", "Install driver 525 or newer.");
    private static final FakeBackend CPU = new FakeBackend("cpu", 0, FakeBackend.usable("cpu"));
    private static final FakeBackend TWO_GPUS = new FakeBackend(
            "cuda",
            10,
            FakeBackend.usable("cuda:0"),
            DeviceProbe.unusable(new DeviceId("cuda", 1), "It is in exclusive mode.", "Stop the other process."));
    private static final FakeBackend NO_GPU = new FakeBackend("cuda", 10, NO_DRIVER);

    private static Backends of(FakeBackend... backends) {
        return new Backends(List.of(backends), List.of());
    }

    @Test
    void autoTakesTheBestUsableDevice() {
        assertThat(of(CPU, TWO_GPUS).resolve("auto")).isEqualTo(new DeviceId("cuda", 0));
        assertThat(of(CPU, NO_GPU).resolve("auto")).isEqualTo(DeviceId.CPU);
    }

    @Test
    void aNamedDeviceIsTaken() {
        assertThat(of(CPU, TWO_GPUS).resolve("cpu")).isEqualTo(DeviceId.CPU);
        assertThat(of(CPU, TWO_GPUS).resolve("cuda:0")).isEqualTo(new DeviceId("cuda", 0));
        assertThat(of(CPU, TWO_GPUS).provider(new DeviceId("cuda", 0))).isSameAs(TWO_GPUS);
    }

    @Test
    void aNamedDeviceIsRefusedWithTheReasonAndTheRemedy() {
        assertThatThrownBy(() -> of(CPU, NO_GPU).resolve("cuda:0"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage(
                        "The device \"cuda:0\" cannot be used: The NVIDIA driver 470 is too old. Install driver 525 or"
                                + " newer.");
        assertThatThrownBy(() -> of(CPU, TWO_GPUS).resolve("cuda:1"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessageContaining("It is in exclusive mode. Stop the other process.");
    }

    @Test
    void whereThereIsNoDeviceEveryOneIsRefusedWithTheReason() {
        assertThatThrownBy(() -> of(CPU, NO_GPU).resolve("cuda:3"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessageStartingWith("The device \"cuda:3\" cannot be used: The NVIDIA driver 470 is too old.");
    }

    @Test
    void anUnknownDeviceListsTheKnownOnes() {
        assertThatThrownBy(() -> of(CPU, TWO_GPUS).resolve("cuda:7"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage("The device \"cuda:7\" does not exist. Known are cuda:0, cuda:1, cpu.");
        assertThatThrownBy(() -> of(CPU).resolve("CUDA"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Unknown device \"CUDA\"");
    }

    @Test
    void allDevicesAtOnceAreNotOfferedYet() {
        assertThatThrownBy(() -> of(CPU, TWO_GPUS).resolve("cuda:*"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage("The device \"cuda:*\" (one model on all GPUs) is not available in this version. Name one"
                        + " device.");
    }

    @Test
    void withoutAnyDeviceAutoSaysWhy() {
        assertThatThrownBy(() -> of(NO_GPU).resolve("auto"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage(
                        "No usable device was found. cuda:0: The NVIDIA driver 470 is too old. Install driver 525 or"
                                + " newer.");
        assertThatThrownBy(() -> of().resolve("auto"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage("No usable device was found. No backend is on the class path. Add io.embed4j:embed4j.");
    }

    @Test
    void aBrokenBackendDoesNotHideTheOthers() {
        DeviceProbe broken = DeviceProbe.unusable(new DeviceId("unknown", 0), "It could not be loaded.", "Update it.");
        Backends backends = new Backends(List.of(CPU), List.of(broken));
        assertThat(backends.resolve("auto")).isEqualTo(DeviceId.CPU);
        assertThat(backends.report().entries())
                .extracting(DeviceReport.Entry::problem)
                .containsExactly("", "It could not be loaded.");
        assertThatThrownBy(() -> backends.resolve("cuda:0"))
                .hasMessage("The device \"cuda:0\" does not exist. Known are cpu. It could not be loaded. Update it.");
    }

    /** Looking for GPUs starts a driver: who wants the CPU need not wait for it. */
    @Test
    void forANamedDeviceOnlyItsBackendIsAsked() {
        FailingBackend cuda = new FailingBackend();
        assertThat(new Backends(List.of(CPU, cuda), List.of()).resolve("cpu")).isEqualTo(DeviceId.CPU);
        assertThat(cuda.asked).isFalse();
    }

    @Test
    void aBackendThatFailsToLookDoesNotHideTheOthers() {
        Backends backends = new Backends(List.of(CPU, new FailingBackend()), List.of());
        assertThat(backends.resolve("auto")).isEqualTo(DeviceId.CPU);
        assertThatThrownBy(() -> backends.resolve("cuda:0"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage("The device \"cuda:0\" cannot be used: The backend cuda failed to look for devices:"
                        + " java.lang.UnsatisfiedLinkError: lost. Please report this.");
    }

    /** Breaks the rule that probe() never throws. */
    private static final class FailingBackend implements BackendProvider {
        boolean asked;

        @Override
        public String name() {
            return "cuda";
        }

        @Override
        public int priority() {
            return 10;
        }

        @Override
        public List<DeviceProbe> probe() {
            asked = true;
            throw new UnsatisfiedLinkError("lost");
        }

        @Override
        public Device open(DeviceId id) {
            throw new UnsupportedOperationException();
        }
    }

    @Test
    void theReportListsUsableDevicesFirst() {
        List<DeviceReport.Entry> entries = of(CPU, TWO_GPUS).report().entries();
        assertThat(entries).extracting(DeviceReport.Entry::id).containsExactly("cuda:0", "cpu", "cuda:1");
        assertThat(entries.get(0))
                .isEqualTo(new DeviceReport.Entry(
                        "cuda:0", "A device called cuda:0", true, 2000, 1000, "", "", "no engine", Map.of()));
        assertThat(entries.get(2))
                .isEqualTo(new DeviceReport.Entry(
                        "cuda:1",
                        "",
                        false,
                        0,
                        0,
                        "It is in exclusive mode.",
                        "Stop the other process.",
                        "",
                        Map.of()));
    }

    @Test
    void thisModuleBringsNoBackend() {
        assertThatThrownBy(() -> Backends.find().resolve("cpu"))
                .isInstanceOf(DeviceUnavailableException.class)
                .hasMessage("The device \"cpu\" does not exist. No backend is on the class path. Add"
                        + " io.embed4j:embed4j.");
    }
}
