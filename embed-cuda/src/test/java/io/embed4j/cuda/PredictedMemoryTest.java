// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Embedder;
import io.embed4j.Precision;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.natives.CudaLibraries;
import io.embed4j.testkit.Fixture;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What the fit report predicts is what the driver says is gone. {@link DeviceMemoryUseTest} shows on the emulated device
 * that what we allocate is that to the byte; a GPU's driver and cuBLAS also take some for themselves, for streams,
 * graphs, and code that they load when it is first used.
 */
@RequiresDevice
class PredictedMemoryTest {
    private static final Fixture FIXTURE = Fixture.load("bert-h48-a2");
    private static final int LARGE_BUDGET = 131_072;

    /** For the driver's and cuBLAS's own needs beside an encoder. */
    private static final long ALLOWED_BYTES = 32L << 20;

    private CudaContext context;

    /** Another embedder keeps the context, the kernels and the code of cuBLAS loaded, which the prediction leaves out. */
    private Embedder before;

    @BeforeEach
    void open() {
        CudaLibraries.load();
        context = new CudaContext(0);
        before = builder().build();
        before.embed(FIXTURE.texts());
    }

    @AfterEach
    void close() {
        before.close();
        context.close();
    }

    private static Embedder.Builder builder() {
        return Embedder.builder().model(FIXTURE.model()).device("cuda:0");
    }

    private long freeBytes() {
        context.makeCurrent();
        context.synchronize();
        return context.freeBytes();
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void whatIsPredictedIsGoneAndComesBack(Precision precision) {
        before.embed(FIXTURE.texts());
        for (int budget : new int[] {0, LARGE_BUDGET}) {
            Embedder.Builder builder = builder().precision(precision);
            if (budget > 0) {
                builder.maxBatchTokens(budget);
            }
            long predicted = builder.fit().neededBytes();
            long free = freeBytes();
            try (Embedder embedder = builder.build()) {
                check(precision + ", loaded", free - freeBytes(), predicted);
                for (int round = 0; round < 3; round++) {
                    embedder.embed(FIXTURE.texts());
                }
                check(precision + ", after batches", free - freeBytes(), predicted);
            }
            check(precision + ", closed", free - freeBytes(), 0);
        }
    }

    private static void check(String what, long taken, long predicted) {
        long difference = Math.abs(taken - predicted);
        String report = String.format(
                Locale.ROOT,
                "%s: predicted %.1f MiB, cuMemGetInfo says %.1f: %.0f %% of the bar of %d MiB",
                what,
                mebibytes(predicted),
                mebibytes(taken),
                100.0 * difference / ALLOWED_BYTES,
                ALLOWED_BYTES >> 20);
        System.out.println(report);
        assertThat(difference).as(report).isLessThanOrEqualTo(ALLOWED_BYTES);
    }

    private static double mebibytes(long bytes) {
        return bytes / (double) (1 << 20);
    }
}
