// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.Embedder;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.cuda.natives.CudaLibraries;
import io.embed4j.testkit.Bar;
import io.embed4j.testkit.Fixture;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Failures that do no harm to a GPU or to others on it: a driver that refuses, and memory that is not there. After each,
 * the device still gives the right vectors. {@link FaultTest} has the others, on the emulated device.
 */
@RequiresDevice
class SafeFaultTest {
    private static final Fixture FIXTURE = Fixture.load("bert-h48-a2");
    private static final long LEFT_BYTES = 16L << 20;

    private CudaContext context;

    @BeforeEach
    void open() {
        CudaLibraries.load();
        context = new CudaContext(0);
    }

    @AfterEach
    void theDeviceStillWorks() {
        context.close();
        try (Embedder embedder = builder().build()) {
            Bar.Worst worst = new Bar.Worst();
            for (int row = 0; row < FIXTURE.texts().size(); row++) {
                float[] vector = embedder.embed(FIXTURE.texts().get(row)).vector(0);
                worst.add(Bar.unitError(vector, FIXTURE.vectors()[row]), "text " + row);
            }
            worst.mustPass("after the failure", Bar.of(FIXTURE, embedder.precision()));
        }
    }

    private static Embedder.Builder builder() {
        return Embedder.builder().model(FIXTURE.model()).device("cuda:0");
    }

    @Test
    void anAllocationLargerThanTheDeviceIsRefused() {
        long tooMuch = context.totalBytes() + LEFT_BYTES;
        assertThatThrownBy(() -> new DeviceMemory(context, tooMuch))
                .isInstanceOfSatisfying(
                        CudaException.class,
                        e -> assertThat(e.isOutOfMemory()).as(e.getMessage()).isTrue())
                .hasMessageContaining("cuMemAlloc of " + tooMuch);
    }

    @Test
    void anImageThatIsNoneIsRefused() {
        byte[] nonsense = "This is no kernel image.\0".getBytes(StandardCharsets.US_ASCII);
        assertThatThrownBy(() -> new KernelModule(context, nonsense))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("cuModuleLoadData");
    }

    @Test
    void memoryThatOthersHaveTakenIsSaidToBeMissing() {
        DeviceMemory taken = almostEverything();
        try {
            // Named, for a budget that is left open is lowered until it fits.
            assertThatThrownBy(() -> builder().maxBatchTokens(16_384).build())
                    .isInstanceOf(OutOfDeviceMemoryException.class)
                    .hasMessageContaining("free");
        } finally {
            taken.close();
        }
    }

    /** Free memory may be in pieces: asks for less until there is one. */
    private DeviceMemory almostEverything() {
        for (long bytes = context.freeBytes() - LEFT_BYTES; ; bytes -= LEFT_BYTES) {
            try {
                return new DeviceMemory(context, bytes);
            } catch (CudaException e) {
                assertThat(e.isOutOfMemory()).as(e.getMessage()).isTrue();
            }
        }
    }
}
