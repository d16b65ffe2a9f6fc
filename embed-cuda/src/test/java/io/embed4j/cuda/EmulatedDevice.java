// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.PinnedMemory;
import io.embed4j.spi.MemoryLedger;
import jcuda.driver.JCudaDriver;

/**
 * The emulated device's back door: its settings and counters, read and written through the limits of a context under
 * numbers that no driver knows. native/emulator/README.md lists them. A GPU has none of it: tests that need it are
 * skipped there.
 */
final class EmulatedDevice implements AutoCloseable {
    private static final String NAME = "embed4j emulated CUDA device (CPU)";
    private static final int MEMORY_SIZE = 0x7e01;
    private static final int CLEAR_STICKY_ERROR = 0x7e04;
    private static final int USED_BYTES = 0x7e05;
    private static final int LIVE_ALLOCATIONS = 0x7e07;
    private static final int SCHEDULER_SEED = 0x7e08;
    private static final int FAIL_CALL = 0x7e09;
    private static final int FAIL_CALL_WITH = 0x7e0a;
    private static final int FALLIBLE_CALLS = 0x7e0b;
    private static final int MEMORY_CALLS = 0x7e0d;
    private static final int CHECKS = 0x7e0e;
    private static final int FAULTS = 0x7e0f;
    private static final int LAUNCHES = 0x7e10;
    private static final int BYTES_COPIED_IN = 0x7e13;

    private final CudaContext context;
    private final long memorySize;

    /** Opens the device beside whoever else uses it. */
    EmulatedDevice() {
        io.embed4j.cuda.natives.CudaLibraries.load();
        context = new CudaContext(0);
        boolean emulated = context.name().equals(NAME);
        if (!emulated) {
            context.close();
        }
        assumeThat(emulated).as("this needs the emulated device's counters").isTrue();
        memorySize = context.totalBytes();
    }

    private void set(int number, long value) {
        context.makeCurrent();
        assertThat(JCudaDriver.cuCtxSetLimit(number, value))
                .as("limit %x", number)
                .isZero();
    }

    private long get(int number) {
        context.makeCurrent();
        long[] value = new long[1];
        assertThat(JCudaDriver.cuCtxGetLimit(value, number))
                .as("limit %x", number)
                .isZero();
        return value[0];
    }

    /** Vectors on the device, as an encoder leaves them there. */
    DeviceVectors vectors(MemoryLedger ledger, float[] values, int dimension) {
        context.makeCurrent();
        DeviceVectors vectors;
        try (VectorRooms rooms = new VectorRooms(context, ledger)) {
            vectors = (DeviceVectors)
                    rooms.make(values.length / dimension, dimension).orElseThrow();
        }
        try (CudaStream stream = new CudaStream(context);
                PinnedMemory pinned = new PinnedMemory(context, values.length * Float.BYTES)) {
            pinned.buffer().asFloatBuffer().put(values);
            stream.upload(vectors.pointer(), pinned, 0, (long) values.length * Float.BYTES);
            stream.synchronize();
        }
        return vectors;
    }

    /** Bytes that are allocated. */
    long usedBytes() {
        return get(USED_BYTES);
    }

    /** Allocations, device and pinned, that are not freed. */
    long liveAllocations() {
        return get(LIVE_ALLOCATIONS);
    }

    /** Calls so far that allocate or free. */
    long memoryCalls() {
        return get(MEMORY_CALLS);
    }

    /** Calls so far that can fail. */
    long fallibleCalls() {
        return get(FALLIBLE_CALLS);
    }

    /** Kernels that were launched so far, our own: products are none. */
    long launches() {
        return get(LAUNCHES);
    }

    /** Bytes that were copied to the device so far. */
    long bytesCopiedIn() {
        return get(BYTES_COPIED_IN);
    }

    /** Memory faults, races and divergences found in kernels so far. */
    long faults() {
        return get(FAULTS);
    }

    /** Sets the device's memory, free and used together. */
    void memorySize(long bytes) {
        set(MEMORY_SIZE, bytes);
    }

    /** The order in which threads run between barriers; 0 is in order. */
    void schedulerSeed(int seed) {
        set(SCHEDULER_SEED, seed);
    }

    /** Whether every access of kernels is looked at. */
    void checks(boolean on) {
        set(CHECKS, on ? 1 : 0);
    }

    /** Lets a call fail: the n-th from now on, from 1. */
    void failCall(long n, int error) {
        set(FAIL_CALL_WITH, error);
        set(FAIL_CALL, n);
    }

    /** No call fails any more, and a lost context is as new. */
    void heal() {
        set(FAIL_CALL, 0);
        set(CLEAR_STICKY_ERROR, 0);
    }

    /** As it was found. */
    @Override
    public void close() {
        heal();
        schedulerSeed(0);
        checks(false);
        memorySize(memorySize);
        context.close();
    }
}
