// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.Gemm;
import io.embed4j.cuda.driver.Kernel;
import io.embed4j.cuda.driver.KernelArguments;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.cuda.driver.Matrix;
import io.embed4j.cuda.driver.PinnedMemory;
import io.embed4j.cuda.natives.CudaLibraries;
import io.embed4j.cuda.natives.CudaUnavailableException;
import io.embed4j.spec.DType;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.opentest4j.TestAbortedException;

/**
 * The first device with the kernels loaded, for tests of single kernels: the emulated device, or a GPU where there is
 * one. Without either the tests are skipped, or fail if EMBED_REQUIRE has "cuda". Arrays live until the end of a test.
 */
final class KernelBench implements BeforeAllCallback, AfterEachCallback, AfterAllCallback {
    private static final int CUBLAS_BYTES = 32 << 20;
    private static final int MAX_SHARED_BYTES_WITHOUT_ASKING = 48 * 1024;

    private final Deque<AutoCloseable> ofTheClass = new ArrayDeque<>();
    private final Deque<AutoCloseable> ofTheTest = new ArrayDeque<>();
    private @Nullable Device device;

    private record Device(CudaContext context, CudaStream stream, KernelModule module, KernelArguments arguments) {}

    /**
     * An array on the device.
     *
     * @param memory where it is
     * @param type of its elements
     * @param values as written, that is, rounded to the type
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record DeviceArray(DeviceMemory memory, DType type, double[] values) {}

    @Override
    public void beforeAll(ExtensionContext test) {
        CudaLibraries libraries;
        try {
            libraries = CudaLibraries.load();
        } catch (CudaUnavailableException e) {
            String required = System.getenv().getOrDefault("EMBED_REQUIRE", "");
            if (List.of(required.split(",")).contains("cuda")) {
                throw new AssertionError("EMBED_REQUIRE has cuda, but: " + e.getMessage(), e);
            }
            throw new TestAbortedException(e.getMessage(), e);
        }
        CudaContext context = keep(ofTheClass, new CudaContext(0));
        CudaStream stream = keep(ofTheClass, new CudaStream(context));
        byte[] image = KernelImages.ofThisJar()
                .suitable(libraries.driverVersion(), context.computeCapability())
                .get(0)
                .bytes();
        KernelModule module = keep(ofTheClass, new KernelModule(context, image));
        device = new Device(context, stream, module, keep(ofTheClass, new KernelArguments(context)));
    }

    private static <T extends AutoCloseable> T keep(Deque<AutoCloseable> owner, T resource) {
        owner.push(resource);
        return resource;
    }

    @Override
    public void afterEach(ExtensionContext test) throws Exception {
        closeAll(ofTheTest);
    }

    @Override
    public void afterAll(ExtensionContext test) throws Exception {
        closeAll(ofTheClass);
    }

    private static void closeAll(Deque<AutoCloseable> resources) throws Exception {
        while (!resources.isEmpty()) {
            resources.pop().close();
        }
    }

    private Device device() {
        if (device == null) {
            throw new IllegalStateException("beforeAll has not run");
        }
        return device;
    }

    /** Compute capability, 80 for 8.0. */
    int computeCapability() {
        return device().context().computeCapability();
    }

    /** Writes numbers, rounded to the type, at the start of new device memory. */
    DeviceArray array(DType type, double... values) {
        device().context().makeCurrent();
        int bytes = Math.max(1, values.length) * type.bytes();
        DeviceMemory memory = keep(ofTheTest, new DeviceMemory(device().context(), bytes));
        double[] rounded = new double[values.length];
        try (PinnedMemory staging = new PinnedMemory(device().context(), bytes)) {
            ByteBuffer buffer = staging.buffer();
            for (int i = 0; i < values.length; i++) {
                rounded[i] = StorageFormat.write(type, buffer, i, values[i]);
            }
            device().stream().upload(memory.pointer(), staging, 0, bytes);
            device().stream().synchronize();
        }
        return new DeviceArray(memory, type, rounded);
    }

    /** Integers in new device memory. */
    DeviceArray ints(int... values) {
        return array(DType.INT32, Arrays.stream(values).asDoubleStream().toArray());
    }

    /** An array that is yet to be written, full of a number no kernel computes. */
    DeviceArray unwritten(DType type, int size) {
        double[] values = new double[size];
        Arrays.fill(values, Twins.UNWRITTEN);
        return array(type, values);
    }

    /** What is in an array now. */
    double[] read(DeviceArray array) {
        int bytes = Math.max(1, array.values().length) * array.type().bytes();
        double[] values = new double[array.values().length];
        try (PinnedMemory staging = new PinnedMemory(device().context(), bytes)) {
            device().stream().download(staging, 0, array.memory().pointer(), bytes);
            device().stream().synchronize();
            ByteBuffer buffer = staging.buffer();
            for (int i = 0; i < values.length; i++) {
                values[i] = StorageFormat.read(array.type(), buffer, i);
            }
        }
        return values;
    }

    /**
     * Launches and waits.
     *
     * @param name of the kernel
     * @param grid its geometry
     * @param parameters in the kernel's order: arrays (null for the null pointer), Integer, Float, Boolean
     */
    void launch(String name, Kernel.Grid grid, @Nullable Object... parameters) {
        KernelArguments arguments = device().arguments().begin();
        for (Object parameter : parameters) {
            if (parameter instanceof Integer number) {
                arguments.add(number);
            } else if (parameter instanceof Float number) {
                arguments.add(number);
            } else if (parameter instanceof Boolean flag) {
                arguments.add(flag);
            } else {
                arguments.add(
                        parameter == null
                                ? (DevicePointer) null
                                : ((DeviceArray) parameter).memory().pointer());
            }
        }
        Kernel kernel = device().module().kernel(name);
        if (grid.sharedBytes() > MAX_SHARED_BYTES_WITHOUT_ASKING) {
            kernel.allowSharedBytes(grid.sharedBytes());
        }
        kernel.launch(device().stream(), grid, arguments);
        device().stream().synchronize();
    }

    /**
     * y = x w^T by cuBLAS, and waits.
     *
     * @param x [rows, in], without padding
     * @param w [out, in]
     * @param y [rows, out]
     */
    void multiply(DeviceArray x, DeviceArray w, DeviceArray y, int rows, int in, int out) {
        Device at = device();
        try (DeviceMemory workspace = new DeviceMemory(at.context(), CUBLAS_BYTES);
                Gemm gemm = new Gemm(at.context(), at.stream(), workspace.pointer(), CUBLAS_BYTES)) {
            gemm.multiply(
                    x.type(),
                    Matrix.dense(x.memory().pointer(), rows, in),
                    Matrix.dense(w.memory().pointer(), out, in),
                    Matrix.dense(y.memory().pointer(), rows, out));
            at.stream().synchronize();
        }
    }

    /** Normally distributed numbers in [rows, stride] with zeros from the width on. */
    static double[] padded(Random random, int rows, int width, int stride) {
        double[] values = new double[rows * stride];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < width; column++) {
                values[row * stride + column] = random.nextGaussian();
            }
        }
        return values;
    }

    /** The next multiple of 8. */
    static int stride(int width) {
        return (width + 7) / 8 * 8;
    }
}
