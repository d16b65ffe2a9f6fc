// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.cuda.natives.CudaLibraries;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The driver takes every image that suits the device, PTX included, and finds every kernel in it. */
@RequiresDevice
class KernelLoadingTest {
    private static final List<String> TYPES = List.of("fp32", "fp16", "bf16");
    private static final List<String> KERNELS = List.of(
            "attention_packed_online_softmax",
            "embedding_gather_norm",
            "feed_forward_activation",
            "gather_rows",
            "pool_rows",
            "query_key_bias_rotary",
            "residual_norm",
            "tokens_to_fp32");

    private static List<String> names() {
        List<String> names = new ArrayList<>(List.of("normalize_rows"));
        for (String type : TYPES) {
            KERNELS.forEach(kernel -> names.add(kernel + "_" + type));
            TYPES.forEach(source -> names.add("convert_pad_" + source + "_" + type));
            for (int headStride : type.equals("fp32") ? new int[] {} : new int[] {32, 64, 128, 256}) {
                names.add("attention_packed_mma_" + type + "_d" + headStride);
            }
        }
        return names;
    }

    static Stream<KernelImages.Image> images() {
        CudaLibraries libraries = CudaLibraries.load();
        try (CudaContext context = new CudaContext(0)) {
            return KernelImages.ofThisJar().suitable(libraries.driverVersion(), context.computeCapability()).stream();
        }
    }

    @ParameterizedTest
    @MethodSource("images")
    void everyKernelIsFound(KernelImages.Image image) {
        try (CudaContext context = new CudaContext(0);
                KernelModule module = new KernelModule(context, image.bytes())) {
            for (String name : names()) {
                assertThat(module.kernel(name)).as(name).isNotNull();
            }
        }
    }
}
