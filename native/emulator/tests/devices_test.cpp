// SPDX-License-Identifier: Apache-2.0
//
// Contexts, and several devices (run.sh starts this test with two).

#include "device_api.h"

TEST(two_devices_have_memory_of_their_own) {
    int count = 0;
    OK(cuDeviceGetCount(&count));
    if (count < 2) {
        printf("  skipped: EMBED4J_EMULATOR_DEVICES=2 is not set\n");
        return;
    }
    void* first = nullptr;
    void* second = nullptr;
    OK(cuDevicePrimaryCtxRetain(&first, 0));
    OK(cuDevicePrimaryCtxRetain(&second, 1));
    OK(cuCtxSetCurrent(second));
    const size_t before = limit(memorySize);
    setLimit(memorySize, 1 << 20);
    Address x = 0;
    OK(cuMemAlloc_v2(&x, 1 << 20));
    EXPECT_EQUAL(2, cuMemAlloc_v2(&x, 1));
    EXPECT_EQUAL(1, limit(liveAllocations));
    EXPECT_EQUAL(700, launch("null_pointer", {}, Address{0})); // the second device has failed, the first has not
    EXPECT_EQUAL(700, cuCtxSynchronize());
    OK(cuCtxSetCurrent(first));
    OK(cuCtxSynchronize());
    Buffer<float> y(std::vector<float>(32, 1.0f));
    OK(launch("correct", {}, y.address));
    // Giving the failed context back frees its memory and its failure.
    OK(cuDevicePrimaryCtxRelease_v2(1));
    OK(cuDevicePrimaryCtxRetain(&second, 1));
    OK(cuCtxSetCurrent(second));
    OK(cuCtxSynchronize());
    EXPECT_EQUAL(0, limit(liveAllocations));
    setLimit(memorySize, before);
    OK(cuDevicePrimaryCtxRelease_v2(1));
    OK(cuCtxSetCurrent(first));
    OK(cuDevicePrimaryCtxRelease_v2(0));
}

TEST(a_device_introduces_itself) {
    char name[64];
    OK(cuDeviceGetName(name, sizeof name, 0));
    EXPECT_EQUAL(0, strcmp(name, "embed4j emulated CUDA device (CPU)"));
    int major = 0, shared = 0, version = 0;
    OK(cuDeviceGetAttribute(&major, 75, 0));
    OK(cuDeviceGetAttribute(&shared, 97, 0));
    OK(cuDriverGetVersion(&version));
    EXPECT_EQUAL(8, major);
    EXPECT_EQUAL(163 * 1024, shared);
    EXPECT_EQUAL(13000, version);
    EXPECT_EQUAL(101, cuDeviceGetName(name, sizeof name, 7));
}
