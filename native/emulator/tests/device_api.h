// SPDX-License-Identifier: Apache-2.0
//
// The few driver and cuBLAS calls the tests use, declared by hand: the build must not need the CUDA toolkit.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

using Address = unsigned long long;

extern "C" {
int cuInit(unsigned);
int cuDriverGetVersion(int*);
int cuDeviceGetCount(int*);
int cuDeviceGetName(char*, int, int);
int cuDeviceGetAttribute(int*, int, int);
int cuDevicePrimaryCtxRetain(void**, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void*);
int cuCtxSynchronize();
int cuCtxSetLimit(int, size_t);
int cuCtxGetLimit(size_t*, int);
int cuMemAlloc_v2(Address*, size_t);
int cuMemFree_v2(Address);
int cuMemGetInfo_v2(size_t*, size_t*);
int cuMemHostAlloc(void**, size_t, unsigned);
int cuMemFreeHost(void*);
int cuMemcpyHtoD_v2(Address, const void*, size_t);
int cuMemcpyDtoH_v2(void*, Address, size_t);
int cuMemcpyHtoDAsync_v2(Address, const void*, size_t, void*);
int cuMemcpyDtoHAsync_v2(void*, Address, size_t, void*);
int cuMemcpyDtoDAsync_v2(Address, Address, size_t, void*);
int cuMemsetD8_v2(Address, unsigned char, size_t);
int cuMemsetD32Async(Address, unsigned, size_t, void*);
int cuStreamCreate(void**, unsigned);
int cuStreamDestroy_v2(void*);
int cuStreamSynchronize(void*);
int cuStreamQuery(void*);
int cuStreamWaitEvent(void*, void*, unsigned);
int cuEventCreate(void**, unsigned);
int cuEventDestroy_v2(void*);
int cuEventRecord(void*, void*);
int cuEventQuery(void*);
int cuEventSynchronize(void*);
int cuEventElapsedTime(float*, void*, void*);
int cuStreamBeginCapture_v2(void*, int);
int cuStreamEndCapture(void*, void**);
int cuStreamIsCapturing(void*, int*);
int cuGraphInstantiateWithFlags(void**, void*, unsigned long long);
int cuGraphLaunch(void*, void*);
int cuGraphDestroy(void*);
int cuGraphExecDestroy(void*);
int cuGraphGetNodes(void*, void**, size_t*);
int cuModuleLoad(void**, const char*);
int cuModuleLoadData(void**, const void*);
int cuModuleUnload(void*);
int cuModuleGetFunction(void**, void*, const char*);
int cuFuncGetAttribute(int*, int, void*);
int cuFuncSetAttribute(void*, int, int);
int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
int cuLaunchHostFunc(void*, void (*)(void*), void*);
int cuGetErrorName(int, const char**);
int cuArrayCreate_v2(void**, void*);

int cublasCreate_v2(void**);
int cublasDestroy_v2(void*);
int cublasSetStream_v2(void*, void*);
int cublasSetWorkspace_v2(void*, void*, size_t);
int cublasGemmEx(void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int, const void*,
                 void*, int, int, int, int);
int cublasGemmStridedBatchedEx(void*, int, int, int, int, int, const void*, const void*, int, int, long long,
                               const void*, int, int, long long, const void*, void*, int, int, long long, int, int,
                               int);
int cublasGemmBatchedEx(void*, int, int, int, int, int, const void*, const void* const*, int, int, const void* const*,
                        int, int, const void*, void* const*, int, int, int, int, int);
}

enum Limit {
    memorySize = 0x7e01,
    failAllocation = 0x7e02,
    deferred = 0x7e03,
    sticky = 0x7e04,
    usedBytes = 0x7e05,
    liveAllocations = 0x7e07,
    seed = 0x7e08,
    failCall = 0x7e09,
    failCallWith = 0x7e0a,
    fallibleCalls = 0x7e0b,
    lastFault = 0x7e0c,
    memoryCalls = 0x7e0d,
    checks = 0x7e0e,
    bytesCopiedIn = 0x7e13,
    bytesCopiedOut = 0x7e14,
};

// ---- a test and what it may expect --------------------------------------------------------------------------------

struct Test {
    const char* name;
    std::function<void()> body;
};
std::vector<Test>& tests();
struct AddTest {
    AddTest(const char* name, std::function<void()> body) { tests().push_back({name, std::move(body)}); }
};
#define TEST(name)                                \
    static void name();                           \
    static const AddTest add_##name(#name, name); \
    static void name()

extern int failures;
inline void expectEqual(long long expected, long long actual, const char* what, const char* file, int line) {
    if (expected != actual) {
        failures++;
        printf("  %s:%d: %s is %lld, not %lld\n", file, line, what, actual, expected);
    }
}
#define EXPECT_EQUAL(expected, actual) \
    expectEqual(static_cast<long long>(expected), static_cast<long long>(actual), #actual, __FILE__, __LINE__)
#define EXPECT(condition) EXPECT_EQUAL(true, static_cast<bool>(condition))
#define OK(call) EXPECT_EQUAL(0, call)

inline size_t limit(int which) {
    size_t value = 0;
    OK(cuCtxGetLimit(&value, which));
    return value;
}
inline void setLimit(int which, size_t value) {
    OK(cuCtxSetLimit(which, value));
}

/** Device memory with its content. */
template <typename T>
struct Buffer {
    Address address = 0;
    size_t count;
    explicit Buffer(size_t count) : count(count) { OK(cuMemAlloc_v2(&address, count * sizeof(T))); }
    explicit Buffer(const std::vector<T>& content) : Buffer(content.size()) {
        OK(cuMemcpyHtoD_v2(address, content.data(), count * sizeof(T)));
    }
    ~Buffer() { cuMemFree_v2(address); }
    Buffer(const Buffer&) = delete;
    void operator=(const Buffer&) = delete;
    std::vector<T> content() const {
        std::vector<T> result(count);
        OK(cuMemcpyDtoH_v2(result.data(), address, count * sizeof(T)));
        return result;
    }
};

/** A kernel of the test libraries. */
void* kernel(const char* name);

struct Shape {
    unsigned gridX = 1, blockX = 32, gridY = 1, blockY = 1, gridZ = 1, blockZ = 1, shared = 0;
    void* stream = nullptr;
};

template <typename... Values>
int launch(const char* name, const Shape& s, Values... values) {
    void* parameters[] = {&values..., nullptr};
    return cuLaunchKernel(kernel(name), s.gridX, s.gridY, s.gridZ, s.blockX, s.blockY, s.blockZ, s.shared, s.stream,
                          parameters, nullptr);
}

/** The same pseudo-random values every time, in [-1, 1). */
inline std::vector<float> noise(size_t count, uint32_t start = 1) {
    std::vector<float> values(count);
    uint32_t state = start * 2654435761u + 1;
    for (float& value : values) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(static_cast<int32_t>(state)) * (1.0f / 2147483648.0f);
    }
    return values;
}

inline uint16_t toBrain(float value) {
    uint32_t word;
    memcpy(&word, &value, 4);
    return static_cast<uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
}
inline float fromBrain(uint16_t bits) {
    const uint32_t word = uint32_t{bits} << 16;
    float value;
    memcpy(&value, &word, 4);
    return value;
}
inline uint16_t toHalf(float value) {
    const _Float16 half = static_cast<_Float16>(value);
    uint16_t bits;
    memcpy(&bits, &half, 2);
    return bits;
}
inline float fromHalf(uint16_t bits) {
    _Float16 half;
    memcpy(&half, &bits, 2);
    return static_cast<float>(half);
}
