// SPDX-License-Identifier: Apache-2.0
// A libcuda.so.1 that answers questions about devices, and does nothing else, for the tests of probing.
//
// What it answers stands in the file that FAKE_CUDA names, a line "key value" each, the last one for a key counting. It
// is read anew on every call, so that a test can change it while the JVM runs. Calls that it does not name succeed.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace {

constexpr int kInvalidDevice = 101;
constexpr int kAttributeMajor = 75;
constexpr int kAttributeMinor = 76;

long setting(const std::string& wanted, long otherwise) {
    const char* file = std::getenv("FAKE_CUDA");
    std::ifstream lines(file == nullptr ? "" : file);
    std::string key;
    long value;
    long last = otherwise;
    while (lines >> key >> value) {
        if (key == wanted) {
            last = value;
        }
    }
    return last;
}

}  // namespace

extern "C" {

int cuDriverGetVersion(int* version) {
    *version = static_cast<int>(setting("driver", 13000));
    return 0;
}

int cuInit(unsigned) { return static_cast<int>(setting("cuInit", 0)); }

int cuDeviceGetCount(int* count) {
    *count = static_cast<int>(setting("devices", 1));
    return 0;
}

int cuDeviceGet(int* device, int ordinal) {
    *device = ordinal;
    return ordinal < setting("devices", 1) ? 0 : kInvalidDevice;
}

int cuDeviceGetName(char* name, int length, int device) {
    std::snprintf(name, static_cast<size_t>(length), "Fake %d", device);
    return 0;
}

// Device 1 may differ from the others.
int cuDeviceGetAttribute(int* value, int attribute, int device) {
    long capability = setting(device == 1 ? "capability1" : "capability", 80);
    *value = attribute == kAttributeMajor ? capability / 10 : attribute == kAttributeMinor ? capability % 10 : 0;
    return 0;
}

int cuDeviceTotalMem_v2(size_t* bytes, int) {
    *bytes = size_t{2} << 30;
    return 0;
}

int cuDevicePrimaryCtxRetain(void** context, int) {
    static int marker;
    *context = &marker;
    return static_cast<int>(setting("cuDevicePrimaryCtxRetain", 0));
}

int cuDevicePrimaryCtxRelease_v2(int) { return 0; }

int cuCtxPushCurrent_v2(void*) { return 0; }

int cuCtxPopCurrent_v2(void**) { return 0; }

int cuMemGetInfo_v2(size_t* available, size_t* total) {
    *available = size_t{1} << 30;
    *total = size_t{2} << 30;
    return static_cast<int>(setting("cuMemGetInfo", 0));
}

}  // extern "C"
