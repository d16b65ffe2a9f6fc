// SPDX-License-Identifier: Apache-2.0
//
// Initialisation, devices and contexts of the driver API.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>

#include "driver.h"

namespace emulated {

Device devices[maxDevices];
bool initialized;
std::shared_mutex activity;
std::mutex handleLock;

namespace {

std::mutex contextLock;
std::set<Context*> contexts;
thread_local std::vector<Context*> contextStack;
uint64_t nextContextId = 1;

std::shared_ptr<Context> createContext(int device, bool primary) {
    auto context = std::make_shared<Context>();
    context->device = device;
    context->primary = primary;
    context->id = nextContextId++;
    context->legacy = std::make_shared<Stream>();
    context->legacy->context = context.get();
    contexts.insert(context.get());
    return context;
}

std::vector<std::shared_ptr<Context>> ownContexts; // made by cuCtxCreate

/** The caller holds contextLock. Memory of the device goes with its primary context. */
void destroyContext(const std::shared_ptr<Context>& context) {
    contexts.erase(context.get());
    {
        std::unique_lock<std::shared_mutex> quiet(activity);
        if (context->primary) {
            memory::releaseAll(context->device);
            devices[context->device].stickyError = SUCCESS;
        }
    }
    std::lock_guard<std::mutex> guard(handleLock);
    context->streams.clear();
}

bool validDevice(int device) {
    return device >= 0 && device < settings.deviceCount;
}

} // namespace

Context* currentContext() {
    if (contextStack.empty() || contextStack.back() == nullptr) {
        return nullptr;
    }
    std::lock_guard<std::mutex> guard(contextLock);
    return contexts.count(contextStack.back()) != 0 ? contextStack.back() : nullptr;
}

int enter(Context** context) {
    if (!initialized) {
        return NOT_INITIALIZED;
    }
    if (inHostFunction) {
        return NOT_PERMITTED;
    }
    *context = currentContext();
    if (*context == nullptr) {
        return INVALID_CONTEXT;
    }
    return devices[(*context)->device].stickyError;
}

void makeSticky(Context* context, int result) {
    if (isSticky(result)) {
        devices[context == nullptr ? 0 : context->device].stickyError = result;
    }
}

} // namespace emulated

using namespace emulated;

#define REQUIRE_DEVICE(device)  \
    if (!initialized) {         \
        return NOT_INITIALIZED; \
    }                           \
    if (!validDevice(device)) { \
        return INVALID_DEVICE;  \
    }

EMULATED_API cuInit(unsigned flags) {
    std::lock_guard<std::mutex> guard(contextLock);
    if (flags != 0) {
        return INVALID_VALUE;
    }
    if (!initialized) {
        readSettings();
        if (settings.deviceCount == 0) {
            return NO_DEVICE;
        }
        for (int i = 0; i < settings.deviceCount; i++) {
            devices[i].ordinal = i;
        }
        installSignalHandlers();
        initialized = true;
    }
    return SUCCESS;
}

EMULATED_API cuDriverGetVersion(int* version) {
    if (!initialized) {
        readSettings();
    }
    *version = settings.driverVersion;
    return SUCCESS;
}

// ---- devices ------------------------------------------------------------------------------------------------------

EMULATED_API cuDeviceGetCount(int* count) {
    if (!initialized) {
        return NOT_INITIALIZED;
    }
    *count = settings.deviceCount;
    return SUCCESS;
}

EMULATED_API cuDeviceGet(int* device, int ordinal) {
    REQUIRE_DEVICE(ordinal)
    *device = ordinal;
    return SUCCESS;
}

EMULATED_API cuDeviceGetName(char* name, int length, int device) {
    REQUIRE_DEVICE(device)
    snprintf(name, static_cast<size_t>(length), "embed4j emulated CUDA device (CPU)");
    return SUCCESS;
}

EMULATED_API cuDeviceTotalMem_v2(size_t* bytes, int device) {
    REQUIRE_DEVICE(device)
    *bytes = memory::capacity(device);
    return SUCCESS;
}

EMULATED_API cuDeviceGetUuid(char* uuid, int device) {
    REQUIRE_DEVICE(device)
    memcpy(uuid, "embed4j-emulate0", 16);
    uuid[15] = static_cast<char>('0' + device);
    return SUCCESS;
}
EMULATED_API cuDeviceGetUuid_v2(char* uuid, int device) {
    return cuDeviceGetUuid(uuid, device);
}

EMULATED_API cuDeviceGetPCIBusId(char* text, int length, int device) {
    REQUIRE_DEVICE(device)
    snprintf(text, static_cast<size_t>(length), "0000:%02x:00.0", device + 1);
    return SUCCESS;
}

EMULATED_API cuDeviceGetByPCIBusId(int* device, const char* text) {
    unsigned bus = 0;
    if (sscanf(text, "%*x:%x:", &bus) != 1) {
        return INVALID_VALUE;
    }
    return cuDeviceGet(device, static_cast<int>(bus) - 1);
}

EMULATED_API cuDeviceComputeCapability(int* major, int* minor, int device) {
    REQUIRE_DEVICE(device)
    *major = settings.computeCapability / 10;
    *minor = settings.computeCapability % 10;
    return SUCCESS;
}

EMULATED_API cuDeviceGetAttribute(int* value, int attribute, int device) {
    REQUIRE_DEVICE(device)
    // Numbers of an sm_80 device where the emulation has none of its own; those of capability 7.5 differ in memory.
    const bool ampere = settings.computeCapability >= 80;
    static const struct {
        int attribute, value;
    } table[] = {
        {1, 1024},                                     // threads per block
        {2, 1024},                                     // block dimensions x, y, z
        {3, 1024},        {4, 64},    {5, 0x7fffffff}, // grid dimensions x, y, z
        {6, 65535},       {7, 65535}, {8, 48 * 1024},  // shared memory per block, without opting in
        {9, 64 * 1024},                                // constant memory
        {10, 32},                                      // warp size
        {11, 0x7fffffff},                              // pitch
        {12, 65536},                                   // registers per block
        {13, 1000000},                                 // clock, kHz
        {14, 512},                                     // texture alignment
        {15, 1},                                       // can overlap copies
        {16, 4},                                       // multiprocessors
        {17, 0},                                       // no kernel timeout
        {18, 0},                                       // not integrated
        {19, 1},                                       // can map host memory
        {20, 0},                                       // compute mode: default
        {31, 1},                                       // concurrent kernels
        {32, 0},                                       // no ECC
        {34, 0},                                       // PCI domain
        {36, 1000000},                                 // memory clock, kHz
        {37, 256},                                     // bus width, bits
        {38, 4 << 20},                                 // L2 cache
        {39, 2048},                                    // threads per multiprocessor
        {40, 2},                                       // copy engines
        {41, 1},                                       // unified addressing
        {78, 1},                                       // stream priorities
        {79, 1},                                       // global and
        {80, 1},                                       // local loads are cached in L1
        {82, 65536},                                   // registers per multiprocessor
        {83, 0},                                       // no managed memory
        {90, 1},                                       // kernels may read host memory directly
        {95, 0},                                       // no cooperative launch
        {99, 0},                                       // no host native atomics
        {106, 32},                                     // blocks per multiprocessor
        {111, 1024},                                   // reserved shared memory per block
        {115, 0},                                      // no memory pools
    };
    switch (attribute) {
        case 33:
        case 50:
            *value = attribute == 33 ? device + 1 : 0;
            return SUCCESS;
        case 75:
            *value = settings.computeCapability / 10;
            return SUCCESS;
        case 76:
            *value = settings.computeCapability % 10;
            return SUCCESS;
        case 81: // shared memory per multiprocessor
            *value = (ampere ? 164 : 64) * 1024;
            return SUCCESS;
        case 97: // shared memory per block, opted in
            *value = (ampere ? 163 : 64) * 1024;
            return SUCCESS;
        default:
            break;
    }
    *value = 0;
    for (const auto& row : table) {
        if (row.attribute == attribute) {
            *value = row.value;
        }
    }
    return attribute > 0 && attribute < 200 ? SUCCESS : INVALID_VALUE;
}

EMULATED_API cuDeviceCanAccessPeer(int* can, int device, int peer) {
    REQUIRE_DEVICE(device)
    REQUIRE_DEVICE(peer)
    *can = 0;
    return SUCCESS;
}

EMULATED_API cuDeviceGetP2PAttribute(int* value, int, int device, int peer) {
    REQUIRE_DEVICE(device)
    REQUIRE_DEVICE(peer)
    *value = 0;
    return SUCCESS;
}

// ---- contexts -----------------------------------------------------------------------------------------------------

EMULATED_API cuDevicePrimaryCtxRetain(void** context, int device) {
    REQUIRE_DEVICE(device)
    std::lock_guard<std::mutex> guard(contextLock);
    Device& state = devices[device];
    if (state.primary == nullptr) {
        state.primary = createContext(device, true);
    }
    state.primaryRetained++;
    *context = state.primary.get();
    return SUCCESS;
}

EMULATED_API cuDevicePrimaryCtxRelease_v2(int device) {
    REQUIRE_DEVICE(device)
    std::lock_guard<std::mutex> guard(contextLock);
    Device& state = devices[device];
    if (state.primaryRetained == 0) {
        return INVALID_CONTEXT;
    }
    if (--state.primaryRetained == 0) {
        destroyContext(state.primary);
        state.primary = nullptr;
    }
    return SUCCESS;
}

EMULATED_API cuDevicePrimaryCtxReset_v2(int device) {
    REQUIRE_DEVICE(device)
    std::lock_guard<std::mutex> guard(contextLock);
    Device& state = devices[device];
    if (state.primary != nullptr) {
        destroyContext(state.primary);
        state.primary = state.primaryRetained > 0 ? createContext(device, true) : nullptr;
    }
    return SUCCESS;
}

EMULATED_API cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
    REQUIRE_DEVICE(device)
    devices[device].primaryFlags = static_cast<int>(flags);
    return SUCCESS;
}

EMULATED_API cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
    REQUIRE_DEVICE(device)
    *flags = static_cast<unsigned>(devices[device].primaryFlags);
    *active = devices[device].primary != nullptr;
    return SUCCESS;
}

EMULATED_API cuCtxCreate_v2(void** context, unsigned, int device) {
    REQUIRE_DEVICE(device)
    std::lock_guard<std::mutex> guard(contextLock);
    ownContexts.push_back(createContext(device, false));
    *context = ownContexts.back().get();
    contextStack.push_back(ownContexts.back().get());
    return SUCCESS;
}

EMULATED_API cuCtxDestroy_v2(void* context) {
    std::lock_guard<std::mutex> guard(contextLock);
    for (auto own = ownContexts.begin(); own != ownContexts.end(); ++own) {
        if (own->get() == context) {
            destroyContext(*own);
            ownContexts.erase(own);
            if (!contextStack.empty() && contextStack.back() == context) {
                contextStack.pop_back();
            }
            return SUCCESS;
        }
    }
    return INVALID_CONTEXT;
}

EMULATED_API cuCtxSetCurrent(void* context) {
    if (!initialized) {
        return NOT_INITIALIZED;
    }
    auto* wanted = static_cast<Context*>(context);
    {
        std::lock_guard<std::mutex> guard(contextLock);
        if (wanted != nullptr && contexts.count(wanted) == 0) {
            return INVALID_CONTEXT;
        }
    }
    if (contextStack.empty()) {
        contextStack.push_back(wanted);
    } else {
        contextStack.back() = wanted;
    }
    return SUCCESS;
}

EMULATED_API cuCtxGetCurrent(void** context) {
    if (!initialized) {
        return NOT_INITIALIZED;
    }
    *context = currentContext();
    return SUCCESS;
}

EMULATED_API cuCtxPushCurrent_v2(void* context) {
    std::lock_guard<std::mutex> guard(contextLock);
    if (contexts.count(static_cast<Context*>(context)) == 0) {
        return INVALID_CONTEXT;
    }
    contextStack.push_back(static_cast<Context*>(context));
    return SUCCESS;
}

EMULATED_API cuCtxPopCurrent_v2(void** context) {
    if (contextStack.empty()) {
        return INVALID_CONTEXT;
    }
    if (context != nullptr) {
        *context = contextStack.back();
    }
    contextStack.pop_back();
    return SUCCESS;
}

EMULATED_API cuCtxGetDevice(int* device) {
    const Context* context = currentContext();
    if (context == nullptr) {
        return initialized ? INVALID_CONTEXT : NOT_INITIALIZED;
    }
    *device = context->device;
    return SUCCESS;
}

EMULATED_API cuCtxGetId(void* context, unsigned long long* id) {
    const Context* wanted = context == nullptr ? currentContext() : static_cast<Context*>(context);
    if (wanted == nullptr) {
        return INVALID_CONTEXT;
    }
    *id = wanted->id;
    return SUCCESS;
}

EMULATED_API cuCtxGetApiVersion(void*, unsigned* version) {
    *version = 3020;
    return SUCCESS;
}

EMULATED_API cuCtxGetFlags(unsigned* flags) {
    EMULATED_ENTER(context)
    *flags = static_cast<unsigned>(devices[context->device].primaryFlags);
    return SUCCESS;
}

EMULATED_API cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    EMULATED_ENTER(context)
    *least = 0;
    *greatest = -5;
    return SUCCESS;
}

EMULATED_API cuCtxSetCacheConfig(int) {
    return SUCCESS;
}
EMULATED_API cuCtxGetCacheConfig(int* config) {
    *config = 0;
    return SUCCESS;
}
EMULATED_API cuCtxSetSharedMemConfig(int) {
    return SUCCESS;
}

EMULATED_API cuCtxSynchronize() {
    EMULATED_ENTER(context)
    if (const int forbidden = forbiddenDuringCapture(context)) {
        return forbidden;
    }
    const int result = flushAll(context);
    std::unique_lock<std::shared_mutex> quiet(activity);
    if (result != SUCCESS) {
        return result;
    }
    const int guards = memory::checkGuards(context->device);
    makeSticky(context, guards);
    return guards;
}

EMULATED_API cuProfilerStart() {
    return SUCCESS;
}
EMULATED_API cuProfilerStop() {
    return SUCCESS;
}
