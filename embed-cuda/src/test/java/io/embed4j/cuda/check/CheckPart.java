// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import java.util.List;

/** The parts of the check, in their order: each needs what those before it have shown. */
enum CheckPart {
    FACTS("Device, driver and cuBLAS", 60),
    CUBLAS("cuBLAS multiplies", 60, "io.embed4j.cuda.GemmTest"),
    // A driver that compiles PTX for the first time takes up to half a minute.
    IMAGES("Kernel images load", 120, "io.embed4j.cuda.KernelLoadingTest"),
    KERNELS(
            "Kernels are their twins",
            180,
            "io.embed4j.cuda.ActivationKernelTest",
            "io.embed4j.cuda.AttentionKernelTest",
            "io.embed4j.cuda.MovingKernelsTest",
            "io.embed4j.cuda.PoolingKernelTest",
            "io.embed4j.cuda.QueryKeyKernelTest",
            "io.embed4j.cuda.RowNormKernelTest",
            "io.embed4j.cuda.TopkKernelTest",
            "io.embed4j.cuda.TopkListKernelTest"),
    PARITY("Vectors are the reference's", 120, CheckPart.CONTRACT_CLASS),
    CONTRACT("The contract of every backend", 240, CheckPart.CONTRACT_CLASS),
    INDEX("Top-k is that of brute force", 180, "io.embed4j.cuda.CudaIndexContractTest"),
    FAULTS("Failures that a GPU takes without harm", 90, "io.embed4j.cuda.SafeFaultTest"),
    MEMORY("Predicted memory is cuMemGetInfo's", 90, "io.embed4j.cuda.PredictedMemoryTest");

    private static final String CONTRACT_CLASS = "io.embed4j.cuda.CudaEmbedderContractTest";

    /** What of the contract is {@link #PARITY}; the rest is {@link #CONTRACT}. */
    private static final List<String> PARITY_METHODS =
            List.of("vectorsAreThoseOfTheReference", "tokenVectorsAndOffsetsAreThoseOfTheReference");

    private final String title;
    private final int boundSeconds;

    @SuppressWarnings("ImmutableEnumChecker") // List.of
    private final List<String> testClasses;

    CheckPart(String title, int boundSeconds, String... testClasses) {
        this.title = title;
        this.boundSeconds = boundSeconds;
        this.testClasses = List.of(testClasses);
    }

    /** For people. */
    String title() {
        return title;
    }

    /** It is stopped after so many seconds. */
    int boundSeconds() {
        return boundSeconds;
    }

    /** Test classes by name; none for the facts. */
    List<String> testClasses() {
        return testClasses;
    }

    /** Whether a test method of these classes belongs to this part. */
    boolean has(String method) {
        return switch (this) {
            case PARITY -> PARITY_METHODS.contains(method);
            case CONTRACT -> !PARITY_METHODS.contains(method);
            default -> true;
        };
    }
}
