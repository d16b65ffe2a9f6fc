// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.testkit.Fixture;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import jcuda.driver.CUresult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever call of the driver fails: the right vector or a typed error, in bounded time, with nothing left behind. */
@RequiresDevice
class FaultTest {
    private static final Fixture FIXTURE = Fixture.load("bert-h36-a3");
    private static final List<String> TEXTS = FIXTURE.texts().subList(0, 6);
    private static final Duration BOUND = Duration.ofSeconds(30);
    private final EmulatedDevice device = new EmulatedDevice();

    @AfterEach
    void restore() {
        device.close();
    }

    private static Embedder open() {
        return Embedder.builder().model(FIXTURE.model()).device("cuda:0").build();
    }

    /** Loads, embeds pooled and by token, small and repeatedly so that graphs are recorded, and closes. */
    private static List<float[]> run() {
        List<float[]> vectors = new ArrayList<>();
        try (Embedder embedder = open()) {
            for (int round = 0; round < 4; round++) {
                vectors.addAll(List.of(embedder.embed(TEXTS).toArray()));
            }
            embedder.embedTokens(TEXTS).forEach(tokens -> vectors.add(tokens.vector(0)));
            vectors.addAll(List.of(embedder.embed(TEXTS, EmbedOptions.defaults().withDimension(5))
                    .toArray()));
        }
        return vectors;
    }

    private void everyCallFails(int step, int error) {
        List<float[]> expected = run();
        long before = device.fallibleCalls();
        run();
        long calls = device.fallibleCalls() - before;
        assertThat(calls).isGreaterThan(50);
        long used = device.usedBytes();
        long live = device.liveAllocations();
        int failed = 0;
        for (long n = 1; n <= calls; n += step) {
            device.failCall(n, error);
            long call = n;
            List<float[]> found = Assertions.assertTimeoutPreemptively(BOUND, () -> {
                try {
                    return run();
                } catch (EmbedException e) {
                    assertThat(e.getMessage()).as("call %s", call).isNotBlank();
                    return List.of();
                }
            });
            device.heal();
            failed += found.isEmpty() ? 1 : 0;
            for (int i = 0; i < found.size(); i++) {
                assertThat(found.get(i))
                        .as("vector %s with call %s failing", i, n)
                        .isEqualTo(expected.get(i));
            }
            if (error == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
                assertThat(device.usedBytes())
                        .as("bytes after call %s failed", n)
                        .isEqualTo(used);
                assertThat(device.liveAllocations())
                        .as("allocations after call %s failed", n)
                        .isEqualTo(live);
            }
        }
        assertThat(failed)
                .as("runs that failed, of %s calls by %s", calls, step)
                .isPositive();
    }

    @ParameterizedTest
    @ValueSource(ints = {CUresult.CUDA_ERROR_OUT_OF_MEMORY, CUresult.CUDA_ERROR_LAUNCH_FAILED})
    void someCallsFail(int error) {
        everyCallFails(11, error);
    }

    @Tag("full")
    @ParameterizedTest
    @ValueSource(
            ints = {
                CUresult.CUDA_ERROR_OUT_OF_MEMORY,
                CUresult.CUDA_ERROR_INVALID_VALUE,
                CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
                CUresult.CUDA_ERROR_LAUNCH_FAILED
            })
    void everyCallFails(int error) {
        everyCallFails(1, error);
    }

    @Test
    void aLostDeviceIsSaidToBeLost() {
        try (Embedder embedder = open()) {
            float[] before = embedder.embed("a ferry").vector(0);
            device.failCall(2, CUresult.CUDA_ERROR_ILLEGAL_ADDRESS);
            assertThatThrownBy(() -> embedder.embed("a ferry"))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageContainingAll("cuda:0 was lost", "CUDA_ERROR_ILLEGAL_ADDRESS (700)", "build a new one");
            assertThatThrownBy(() -> embedder.embed("a ferry")).hasMessageContaining("cuda:0 was lost");
            CompletableFuture<Embeddings> later = embedder.embedAsync(List.of("a ferry"), EmbedOptions.defaults());
            assertThatThrownBy(later::join).hasMessageContaining("cuda:0 was lost");
            device.heal();
            assertThatThrownBy(() -> embedder.embed("a ferry"))
                    .as("what was lost stays lost")
                    .hasMessageContaining("cuda:0 was lost");
            try (Embedder anew = open()) {
                assertThat(anew.embed("a ferry").vector(0)).isEqualTo(before);
            }
        }
    }
}
