// SPDX-License-Identifier: Apache-2.0
//
// Each mistake is found, named, and returned as the CUresult that fits.

#include "device_api.h"

namespace {

enum Kind {
    illegalAddress = 1,
    divergence = 2,
    sharedOverrun = 3,
    sharedRace = 4,
    useAfterFree = 5,
    invalidFree = 6,
    outOfMemory = 7,
    copyOutOfBounds = 8,
    gemmOutOfBounds = 9,
    misaligned = 10,
    trap = 11,
    divisionByZero = 12,
    stackOverflow = 13,
    invalidLaunch = 14,
    overwrittenGuard = 15,
    injected = 16,
    invalidCapture = 17,
};

/** The call gave `result` for a fault of this kind; a sticky error stays until it is cleared. */
void expectFault(int result, Kind kind, int actual) {
    EXPECT_EQUAL(result, actual);
    EXPECT_EQUAL(kind, limit(lastFault));
    const bool remains = result >= 700 && result < 720;
    EXPECT_EQUAL(remains ? result : 0, cuCtxSynchronize());
    setLimit(sticky, 0);
    OK(cuCtxSynchronize());
}

void withChecks(const std::function<void()>& body) {
    body();
    setLimit(checks, 1);
    body();
    setLimit(checks, 0);
}

} // namespace

TEST(device_memory_out_of_bounds) {
    Buffer<float> x(256), out(256);
    withChecks([&] {
        expectFault(700, illegalAddress, launch("out_of_bounds", {}, x.address, 4096LL));
        expectFault(700, illegalAddress, launch("out_of_bounds", {}, x.address, -4096LL));
        expectFault(700, illegalAddress, launch("read_out_of_bounds", {}, x.address, out.address, 256LL));
        expectFault(700, illegalAddress, launch("null_pointer", {}, Address{0}));
        expectFault(700, illegalAddress, launch("out_of_bounds", {}, Address{0x123456789a0}, 0LL));
    });
}

TEST(one_element_past_an_odd_size) {
    Address x = 0;
    OK(cuMemAlloc_v2(&x, 100));
    setLimit(checks, 1);
    expectFault(700, illegalAddress, launch("out_of_bounds", {.blockX = 1}, x, 25LL));
    setLimit(checks, 0);
    OK(launch("out_of_bounds", {.blockX = 1}, x, 25LL)); // not seen when it happens
    expectFault(700, overwrittenGuard, cuMemFree_v2(x)); // but here
}

TEST(red_zones_within_an_arena) {
    Buffer<float> arena(std::vector<float>(1024, 1.0f));
    setLimit(0x7e11, arena.address + 512);
    setLimit(0x7e12, 256);
    EXPECT_EQUAL(1, cuCtxSetLimit(0x7e12, 16)); // there is one already
    expectFault(1, copyOutOfBounds, cuMemsetD8_v2(arena.address + 256, 0, 257));
    OK(cuMemsetD8_v2(arena.address + 256, 0, 256));
    OK(cuMemsetD8_v2(arena.address + 768, 0, 256));
    setLimit(checks, 1);
    OK(launch("correct", {.blockX = 128}, arena.address));
    expectFault(700, illegalAddress, launch("correct", {.blockX = 129}, arena.address));
    OK(launch("correct", {.blockX = 64}, arena.address + 768));
}

TEST(use_after_free_and_double_free) {
    Address x = 0;
    OK(cuMemAlloc_v2(&x, 1024));
    OK(cuMemFree_v2(x));
    withChecks([&] { expectFault(700, useAfterFree, launch("correct", {}, x)); });
    expectFault(1, invalidFree, cuMemFree_v2(x));
    expectFault(1, invalidFree, cuMemFree_v2(x + 16));
    expectFault(1, useAfterFree, cuMemsetD8_v2(x, 0, 16));
    void* pinned = nullptr;
    OK(cuMemHostAlloc(&pinned, 100, 0));
    OK(cuMemFreeHost(pinned));
    expectFault(1, invalidFree, cuMemFreeHost(pinned));
}

TEST(copies_and_memsets_out_of_bounds) {
    Buffer<float> x(100);
    std::vector<float> host(200);
    expectFault(1, copyOutOfBounds, cuMemcpyHtoD_v2(x.address, host.data(), 404));
    expectFault(1, copyOutOfBounds, cuMemcpyDtoH_v2(host.data(), x.address + 4, 400));
    expectFault(1, copyOutOfBounds, cuMemcpyDtoDAsync_v2(x.address + 4, x.address, 400, nullptr));
    expectFault(1, copyOutOfBounds, cuMemsetD8_v2(x.address, 0, 401));
    expectFault(1, copyOutOfBounds, cuMemsetD32Async(x.address - 4, 0, 1, nullptr));
    OK(cuMemcpyHtoD_v2(x.address + 396, host.data(), 4));
}

TEST(divergent_barriers_and_shuffles) {
    Buffer<float> x(std::vector<float>(64));
    withChecks([&] {
        expectFault(719, divergence, launch("divergent", {}, x.address));
        expectFault(719, divergence, launch("divergent_shuffle", {}, x.address));
        expectFault(719, divergence, launch("reads_absent_lane", {}, x.address));
    });
    OK(launch("correct", {}, x.address));
}

TEST(races_on_shared_memory) {
    Buffer<float> x(std::vector<float>(256, 1.0f));
    std::vector<float> ramp(256);
    for (int i = 0; i < 256; i++) {
        ramp[i] = static_cast<float>(i);
    }
    // By result: reversed by 256 threads, warp 0 reads what warp 7 has not written.
    OK(cuMemcpyHtoD_v2(x.address, ramp.data(), 1024));
    OK(launch("missing_barrier", {.blockX = 256}, x.address));
    int wrong = 0;
    const auto got = x.content();
    for (int i = 0; i < 256; i++) {
        wrong += got[i] != static_cast<float>(255 - i);
    }
    EXPECT(wrong > 0);
    // By the checks, in every order, also where the result happens to be right.
    setLimit(checks, 1);
    for (size_t order = 0; order < 4; order++) {
        setLimit(seed, order);
        expectFault(719, sharedRace, launch("missing_barrier", {.blockX = 256}, x.address));
        expectFault(719, sharedRace, launch("missing_warp_barrier", {.blockX = 32}, x.address));
        expectFault(719, sharedRace, launch("write_after_read", {.blockX = 64}, x.address));
    }
}

TEST(shared_memory_overruns) {
    Buffer<float> x(std::vector<float>(64, 1.0f));
    setLimit(checks, 1);
    expectFault(719, sharedOverrun, launch("static_overrun", {}, x.address, 1));
    OK(launch("static_overrun", {}, x.address, 0));
    expectFault(719, sharedOverrun, launch("dynamic_overrun", {.shared = 124}, x.address));
    OK(launch("dynamic_overrun", {.shared = 128}, x.address));
    setLimit(checks, 0);
    expectFault(719, sharedOverrun, launch("dynamic_overrun", {.shared = 124}, x.address));
    OK(launch("dynamic_overrun", {.shared = 128}, x.address));
}

TEST(other_mistakes_in_kernels) {
    Buffer<float> x(std::vector<float>(256, 1.0f)), out(256);
    Buffer<int> i(std::vector<int>(64, 1));
    withChecks([&] {
        expectFault(719, trap, launch("traps", {}, x.address));
        expectFault(719, divisionByZero, launch("divides", {}, i.address, 0));
        expectFault(719, stackOverflow, launch("deep", {}, x.address, 200 * 1024));
        expectFault(716, misaligned, launch("misaligned", {.blockX = 1}, x.address, out.address));
        OK(launch("correct", {.blockX = 64}, x.address));
    });
    OK(launch("forgotten_wait", {}, x.address, out.address));
    EXPECT(std::isnan(out.content()[0]) || out.content()[0] != 1.0f);
}

TEST(launches_that_cannot_be) {
    Buffer<float> x(64);
    expectFault(1, invalidLaunch, launch("correct", {.blockX = 1025}, x.address));
    expectFault(1, invalidLaunch, launch("correct", {.gridX = 0}, x.address));
    expectFault(1, invalidLaunch, launch("correct", {.gridY = 65536}, x.address));
    expectFault(1, invalidLaunch, launch("correct", {.shared = 64 * 1024}, x.address));
    OK(cuFuncSetAttribute(kernel("correct"), 8, 64 * 1024));
    OK(launch("correct", {.shared = 64 * 1024}, x.address));
    EXPECT_EQUAL(1, cuFuncSetAttribute(kernel("correct"), 8, 164 * 1024));
    EXPECT_EQUAL(400, cuLaunchKernel(&x, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr));
}

TEST(memory_runs_out) {
    const size_t before = limit(memorySize);
    const size_t used = limit(usedBytes);
    setLimit(memorySize, used + (1 << 20));
    size_t available = 0, total = 0;
    OK(cuMemGetInfo_v2(&available, &total));
    EXPECT_EQUAL(1 << 20, available);
    Address x = 0;
    expectFault(2, outOfMemory, cuMemAlloc_v2(&x, (1 << 20) + 1));
    OK(cuMemAlloc_v2(&x, 1 << 20));
    OK(cuMemGetInfo_v2(&available, &total));
    EXPECT_EQUAL(0, available);
    OK(cuMemFree_v2(x));
    setLimit(memorySize, before);
}

TEST(injected_failures_and_counters) {
    Address x = 0;
    setLimit(failAllocation, 2);
    OK(cuMemAlloc_v2(&x, 16));
    Address y = 0;
    expectFault(2, injected, cuMemAlloc_v2(&y, 16));
    OK(cuMemAlloc_v2(&y, 16));
    const size_t calls = limit(fallibleCalls), memory = limit(memoryCalls);
    OK(cuMemsetD8_v2(x, 0, 16));
    OK(launch("correct", {.blockX = 1}, x));
    EXPECT_EQUAL(calls + 2, limit(fallibleCalls));
    EXPECT_EQUAL(memory, limit(memoryCalls));
    char host[16] = {};
    const size_t in = limit(bytesCopiedIn), out = limit(bytesCopiedOut);
    OK(cuMemcpyHtoD_v2(x, host, 16));
    OK(cuMemcpyDtoH_v2(host, x, 9));
    EXPECT_EQUAL(in + 16, limit(bytesCopiedIn));
    EXPECT_EQUAL(out + 9, limit(bytesCopiedOut));
    setLimit(failCall, 2);
    OK(cuMemsetD8_v2(x, 0, 16));
    expectFault(719, injected, launch("correct", {.blockX = 1}, x));
    setLimit(failCallWith, 2);
    setLimit(failCall, 1);
    expectFault(2, injected, cuMemsetD8_v2(x, 0, 16));
    setLimit(failCallWith, 719);
    OK(cuMemFree_v2(x));
    OK(cuMemFree_v2(y));
    EXPECT_EQUAL(memory + 2, limit(memoryCalls));
}

TEST(gemm_operands_out_of_bounds) {
    void* handle = nullptr;
    OK(cublasCreate_v2(&handle));
    Buffer<float> a(64), b(64), c(63);
    const float one = 1, zero = 0;
    const int execution = 13;
    const auto gemm = [&](Address pa, Address pb, Address pc) {
        return cublasGemmEx(handle, 1, 0, 8, 8, 8, &one, reinterpret_cast<void*>(pa), 0, 8, reinterpret_cast<void*>(pb),
                            0, 8, &zero, reinterpret_cast<void*>(pc), 0, 8, 68, -1);
    };
    EXPECT_EQUAL(execution, gemm(a.address, b.address, c.address));
    expectFault(700, gemmOutOfBounds, 700);
    EXPECT_EQUAL(execution, gemm(a.address + 4, b.address, a.address));
    expectFault(700, gemmOutOfBounds, 700);
    OK(cublasDestroy_v2(handle));
}

TEST(calls_that_are_not_there) {
    EXPECT_EQUAL(801, cuArrayCreate_v2(nullptr, nullptr));
}
