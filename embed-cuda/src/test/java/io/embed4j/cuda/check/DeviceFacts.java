// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import com.google.gson.Gson;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.Gemm;
import io.embed4j.cuda.natives.CudaLibraries;
import io.embed4j.cuda.natives.CudaProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What cuda:0 is.
 *
 * @param name its marketing name
 * @param uuid as nvidia-smi prints it
 * @param computeCapability 90 for 9.0
 * @param totalBytes all its memory
 * @param freeBytes when it was looked at
 * @param driverVersion the newest CUDA that the driver knows, 13000 for 13.0
 * @param engine what users are told of CUDA, driver and cuBLAS
 * @param cublasVersion as cuBLAS tells it
 * @param cublasOrigin where it was found
 */
record DeviceFacts(
        String name,
        String uuid,
        int computeCapability,
        long totalBytes,
        long freeBytes,
        int driverVersion,
        String engine,
        int cublasVersion,
        String cublasOrigin) {
    static final String EMULATED = "embed4j emulated";
    private static final int WORKSPACE_BYTES = 4 << 20;

    /** Whether this is native/emulator, whose device has this name always. */
    boolean emulated() {
        return name.startsWith(EMULATED);
    }

    private static DeviceFacts look() {
        String engine = CudaProbe.devices()
                .get(0)
                .device()
                .orElseThrow(() ->
                        new IllegalStateException(CudaProbe.devices().get(0).problem() + " "
                                + CudaProbe.devices().get(0).remedy()))
                .engine();
        CudaLibraries libraries = CudaLibraries.load();
        try (CudaContext context = new CudaContext(0);
                CudaStream stream = new CudaStream(context);
                DeviceMemory workspace = new DeviceMemory(context, WORKSPACE_BYTES);
                Gemm gemm = new Gemm(context, stream, workspace.pointer(), WORKSPACE_BYTES)) {
            return new DeviceFacts(
                    context.name(),
                    context.uuid(),
                    context.computeCapability(),
                    context.totalBytes(),
                    context.freeBytes(),
                    libraries.driverVersion(),
                    engine,
                    gemm.version(),
                    libraries.cublasOrigin());
        }
    }

    /**
     * Writes the facts to a file, as JSON.
     *
     * @param arguments the file
     */
    public static void main(String[] arguments) throws IOException {
        DeviceFacts facts = look();
        Files.writeString(Path.of(List.of(arguments).get(0)), new Gson().toJson(facts));
        System.exit(0);
    }
}
