// SPDX-License-Identifier: Apache-2.0
//
// Settings from the environment, the back door of magic limits, injected failures and counters.
//
// A test running inside a JVM cannot reach the emulated device except through the driver's own calls, so cuCtxSetLimit
// and cuCtxGetLimit understand limit numbers from 0x7e01 on. README.md lists them.

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "driver.h"

namespace emulated {

Settings settings;

namespace {

std::atomic<long> callsUntilFailure{0}, allocationsUntilFailure{0}; // 0 = none shall fail
std::atomic<int> failureError{LAUNCH_FAILED};
thread_local uintptr_t nextRedZone;
std::atomic<size_t> callsThatCanFail{0}, memoryCalls{0}, launches{0}, copiedIn{0}, copiedOut{0};

const char* variable(const char* name) {
    const char* value = getenv((std::string("EMBED4J_EMULATOR_") + name).c_str());
    return value == nullptr || *value == 0 ? nullptr : value;
}

long number(const char* name, long otherwise) {
    const char* value = variable(name);
    return value == nullptr ? otherwise : strtol(value, nullptr, 0);
}

size_t bytes(const char* name, size_t otherwise) {
    const char* value = variable(name);
    if (value == nullptr) {
        return otherwise;
    }
    char* unit;
    double amount = strtod(value, &unit);
    switch (*unit | 32) {
        case 'g':
            amount *= 1024;
            [[fallthrough]];
        case 'm':
            amount *= 1024;
            [[fallthrough]];
        case 'k':
            amount *= 1024;
            break;
        default:
            break;
    }
    return static_cast<size_t>(amount);
}

/** True once, when a counter set to n is counted down to zero. */
bool countDown(std::atomic<long>& counter) {
    long value = counter.load();
    while (value > 0) {
        if (counter.compare_exchange_weak(value, value - 1)) {
            return value == 1;
        }
    }
    return false;
}

std::string besideThisLibrary(const char* file) {
    Dl_info here;
    if (dladdr(reinterpret_cast<void*>(besideThisLibrary), &here) == 0) {
        return file;
    }
    const std::string path = here.dli_fname;
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? file : path.substr(0, slash + 1) + file;
}

enum Limit {
    memorySize = 0x7e01,
    failAllocation = 0x7e02,
    deferredExecution = 0x7e03,
    clearStickyError = 0x7e04,
    usedMemory = 0x7e05,
    peakMemory = 0x7e06,
    liveAllocationCount = 0x7e07,
    schedulerSeed = 0x7e08,
    failCall = 0x7e09,
    failCallWith = 0x7e0a,
    fallibleCalls = 0x7e0b,
    lastFault = 0x7e0c,
    memoryCallCount = 0x7e0d,
    checkEveryAccess = 0x7e0e,
    faultCount = 0x7e0f,
    launchCount = 0x7e10,
    redZoneAddress = 0x7e11,
    redZoneBytes = 0x7e12,
    bytesCopiedIn = 0x7e13,
    bytesCopiedOut = 0x7e14,
};

} // namespace

int lastFaultKind();
size_t faultsSoFar();
void forgetFault();

void readSettings() {
    settings.deferred = number("DEFERRED", 0) != 0;
    settings.checks = number("CHECKS", 0) != 0;
    settings.seed = static_cast<uint64_t>(number("SEED", 0));
    settings.driverVersion = static_cast<int>(number("DRIVER_VERSION", 13000));
    settings.deviceCount = static_cast<int>(std::min<long>(number("DEVICES", 1), maxDevices));
    const char* capability = variable("COMPUTE_CAPABILITY");
    const double parsed = capability == nullptr ? 8.0 : strtod(capability, nullptr);
    settings.computeCapability = static_cast<int>((parsed < 20 ? parsed * 10 : parsed) + 0.5);
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    settings.threads = static_cast<unsigned>(number("THREADS", std::min(cores, 32u)));
    const char* kernels = variable("KERNELS");
    settings.kernels = kernels != nullptr ? kernels : besideThisLibrary("libembed4j_kernels.so");
    allocationsUntilFailure = number("FAIL_ALLOCATION", 0);
    callsUntilFailure = number("FAIL_CALL", 0);
    failureError = static_cast<int>(number("FAIL_ERROR", LAUNCH_FAILED));
}

size_t defaultMemoryBytes() {
    return bytes("MEMORY", size_t{2} << 30);
}

int injectedFailure(CallKind kind) {
    callsThatCanFail++;
    if (kind == CallKind::allocation && countDown(allocationsUntilFailure)) {
        report(FaultKind::injected, "this allocation fails because a test asked for it");
        return OUT_OF_MEMORY;
    }
    if (countDown(callsUntilFailure)) {
        report(FaultKind::injected, "this call fails with %d because a test asked for it", failureError.load());
        makeSticky(currentContext(), failureError);
        return failureError;
    }
    return SUCCESS;
}

void countMemoryCall() {
    memoryCalls++;
}
void countLaunch() {
    launches++;
}
void countCopyIn(size_t bytes) {
    copiedIn += bytes;
}
void countCopyOut(size_t bytes) {
    copiedOut += bytes;
}

} // namespace emulated

using namespace emulated;

EMULATED_API cuCtxSetLimit(int limit, size_t value) {
    if (!initialized) {
        return NOT_INITIALIZED;
    }
    Context* context = currentContext();
    const int device = context == nullptr ? 0 : context->device;
    switch (limit) {
        case memorySize:
            memory::setCapacity(device, value);
            return SUCCESS;
        case failAllocation:
            allocationsUntilFailure = static_cast<long>(value);
            return SUCCESS;
        case deferredExecution:
            if (value == 0 && context != nullptr) {
                flushAll(context);
            }
            settings.deferred = value != 0;
            return SUCCESS;
        case clearStickyError:
            devices[device].stickyError = SUCCESS;
            forgetFault();
            return SUCCESS;
        case schedulerSeed:
            settings.seed = value;
            return SUCCESS;
        case failCall:
            callsUntilFailure = static_cast<long>(value);
            return SUCCESS;
        case failCallWith:
            failureError = static_cast<int>(value);
            return SUCCESS;
        case checkEveryAccess:
            settings.checks = value != 0;
            return SUCCESS;
        case redZoneAddress:
            nextRedZone = value;
            return SUCCESS;
        case redZoneBytes:
            return memory::addRedZone(nextRedZone, value);
        default:
            return context == nullptr ? INVALID_CONTEXT : limit >= 0 && limit < 8 ? SUCCESS : INVALID_VALUE;
    }
}

EMULATED_API cuCtxGetLimit(size_t* value, int limit) {
    if (!initialized) {
        return NOT_INITIALIZED;
    }
    const Context* context = currentContext();
    const int device = context == nullptr ? 0 : context->device;
    switch (limit) {
        case memorySize:
            *value = memory::capacity(device);
            return SUCCESS;
        case failAllocation:
            *value = static_cast<size_t>(allocationsUntilFailure.load());
            return SUCCESS;
        case deferredExecution:
            *value = settings.deferred;
            return SUCCESS;
        case clearStickyError:
            *value = static_cast<size_t>(devices[device].stickyError);
            return SUCCESS;
        case usedMemory:
            *value = memory::usedBytes(device);
            return SUCCESS;
        case peakMemory:
            *value = memory::peakBytes(device);
            return SUCCESS;
        case liveAllocationCount:
            *value = memory::liveAllocations(device);
            return SUCCESS;
        case schedulerSeed:
            *value = settings.seed;
            return SUCCESS;
        case failCall:
            *value = static_cast<size_t>(callsUntilFailure.load());
            return SUCCESS;
        case failCallWith:
            *value = static_cast<size_t>(failureError.load());
            return SUCCESS;
        case fallibleCalls:
            *value = callsThatCanFail;
            return SUCCESS;
        case lastFault:
            *value = static_cast<size_t>(lastFaultKind());
            return SUCCESS;
        case memoryCallCount:
            *value = memoryCalls;
            return SUCCESS;
        case checkEveryAccess:
            *value = settings.checks;
            return SUCCESS;
        case faultCount:
            *value = faultsSoFar();
            return SUCCESS;
        case launchCount:
            *value = launches;
            return SUCCESS;
        case bytesCopiedIn:
            *value = copiedIn;
            return SUCCESS;
        case bytesCopiedOut:
            *value = copiedOut;
            return SUCCESS;
        default:
            *value = limit == 0 ? 1024 : limit == 1 ? size_t{1} << 20 : 0;
            return limit >= 0 && limit < 8 ? SUCCESS : INVALID_VALUE;
    }
}
