// SPDX-License-Identifier: Apache-2.0
//
// The driver's calls for memory: allocation, copies, memsets, pointer attributes.
//
// Every range is checked when the operation runs. An asynchronous copy from pageable memory takes its bytes at once,
// one from pinned memory when it runs, as on a device: whoever reuses a pinned buffer too early is found by deferred
// execution.

#include <algorithm>
#include <cstring>

#include "driver.h"

using namespace emulated;

namespace {

using Body = std::function<int()>;

/** Runs `body` in order with the default stream: what the synchronous calls do. */
int synchronously(Context* context, int nodeType, Body body) {
    return submit(context, context->legacy, nodeType, std::move(body));
}

int asynchronously(Context* context, void* handle, int nodeType, Body body) {
    const auto stream = streamOf(context, handle);
    return stream == nullptr ? static_cast<int>(INVALID_HANDLE) : submit(context, stream, nodeType, std::move(body));
}

Body copyIn(CUdeviceptr to, const void* from, size_t bytes) {
    return [=]() -> int {
        if (const int fault = memory::require("copy to the device", to, bytes)) {
            return fault;
        }
        memcpy(reinterpret_cast<void*>(to), from, bytes);
        countCopyIn(bytes);
        return SUCCESS;
    };
}

Body copyOut(void* to, CUdeviceptr from, size_t bytes) {
    return [=]() -> int {
        if (const int fault = memory::require("copy from the device", from, bytes)) {
            return fault;
        }
        memcpy(to, reinterpret_cast<const void*>(from), bytes);
        countCopyOut(bytes);
        return SUCCESS;
    };
}

Body copyWithin(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return [=]() -> int {
        if (const int fault = memory::require("copy within the device, source", from, bytes)) {
            return fault;
        }
        if (const int fault = memory::require("copy within the device, destination", to, bytes)) {
            return fault;
        }
        memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
        return SUCCESS;
    };
}

/** Fills `rows` rows of `width` elements, `pitch` bytes apart. */
template <typename T>
Body fill(CUdeviceptr to, T value, size_t width, size_t rows, size_t pitch) {
    return [=]() -> int {
        if (width == 0 || rows == 0) {
            return SUCCESS;
        }
        if (to % sizeof(T) != 0) {
            return INVALID_VALUE;
        }
        const size_t bytes = (rows - 1) * pitch + width * sizeof(T);
        if (const int fault = memory::require("memset", to, bytes)) {
            return fault;
        }
        for (size_t row = 0; row < rows; row++) {
            T* data = reinterpret_cast<T*>(to + row * pitch);
            std::fill(data, data + width, value);
        }
        return SUCCESS;
    };
}

} // namespace

#define FAIL_IF_INJECTED(kind)                       \
    if (const int failure = injectedFailure(kind)) { \
        return failure;                              \
    }

// ---- allocation -----------------------------------------------------------------------------------------------------

EMULATED_API cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
    EMULATED_ENTER(context)
    if (const int forbidden = forbiddenDuringCapture(context)) {
        return forbidden;
    }
    return memory::allocate(context->device, bytes, address);
}

EMULATED_API cuMemFree_v2(CUdeviceptr address) {
    EMULATED_ENTER(context)
    if (const int forbidden = forbiddenDuringCapture(context)) {
        return forbidden;
    }
    const int pending = flushAll(context); // freeing waits for the device
    std::unique_lock<std::shared_mutex> quiet(activity);
    const int result = memory::release(address);
    makeSticky(context, result);
    return pending != SUCCESS ? pending : result;
}

EMULATED_API cuMemAllocAsync(CUdeviceptr* address, size_t bytes, void*) {
    EMULATED_ENTER(context)
    return memory::allocate(context->device, bytes, address);
}

EMULATED_API cuMemFreeAsync(CUdeviceptr address, void* stream) {
    EMULATED_ENTER(context)
    return asynchronously(context, stream, hostNode, [=] { return memory::release(address); });
}

EMULATED_API cuMemGetInfo_v2(size_t* available, size_t* total) {
    EMULATED_ENTER(context)
    *total = memory::capacity(context->device);
    const size_t used = memory::usedBytes(context->device);
    *available = used > *total ? 0 : *total - used;
    return SUCCESS;
}

EMULATED_API cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr address) {
    EMULATED_ENTER(context)
    CUdeviceptr begin;
    size_t length;
    int device;
    if (!memory::find(address, &begin, &length, &device)) {
        return NOT_FOUND;
    }
    if (base != nullptr) {
        *base = begin;
    }
    if (bytes != nullptr) {
        *bytes = length;
    }
    return SUCCESS;
}

EMULATED_API cuMemHostAlloc(void** address, size_t bytes, unsigned) {
    EMULATED_ENTER(context)
    return memory::allocatePinned(address, bytes);
}
EMULATED_API cuMemAllocHost_v2(void** address, size_t bytes) {
    return cuMemHostAlloc(address, bytes, 0);
}

EMULATED_API cuMemFreeHost(void* address) {
    EMULATED_ENTER(context)
    const int pending = flushAll(context);
    std::unique_lock<std::shared_mutex> quiet(activity);
    const int result = memory::releasePinned(address);
    return pending != SUCCESS ? pending : result;
}

EMULATED_API cuMemHostRegister_v2(void* address, size_t bytes, unsigned) {
    EMULATED_ENTER(context)
    return memory::registerPinned(address, bytes);
}

EMULATED_API cuMemHostUnregister(void* address) {
    EMULATED_ENTER(context)
    flushAll(context);
    return memory::unregisterPinned(address);
}

EMULATED_API cuMemHostGetDevicePointer_v2(CUdeviceptr* device, void* host, unsigned) {
    EMULATED_ENTER(context)
    if (!memory::isPinned(host)) {
        return INVALID_VALUE;
    }
    *device = reinterpret_cast<CUdeviceptr>(host);
    return SUCCESS;
}

EMULATED_API cuMemHostGetFlags(unsigned* flags, void* host) {
    *flags = 0;
    return memory::isPinned(host) ? SUCCESS : INVALID_VALUE;
}

EMULATED_API cuPointerGetAttribute(void* value, int attribute, CUdeviceptr address) {
    EMULATED_ENTER(context)
    CUdeviceptr base = address;
    size_t bytes = 0;
    int device = 0;
    const bool onDevice = memory::find(address, &base, &bytes, &device);
    if (!onDevice && !memory::isPinned(reinterpret_cast<void*>(address))) {
        return INVALID_VALUE;
    }
    switch (attribute) {
        case 1: // context
            *static_cast<void**>(value) = context;
            return SUCCESS;
        case 2: // memory type: host 1, device 2
            *static_cast<int*>(value) = onDevice ? 2 : 1;
            return SUCCESS;
        case 3: // as seen from the device
        case 4: // as seen from the host
            *static_cast<CUdeviceptr*>(value) = address;
            return attribute == 4 && onDevice ? INVALID_VALUE : SUCCESS;
        case 8: // managed
            *static_cast<int*>(value) = 0;
            return SUCCESS;
        case 9: // device ordinal
            *static_cast<int*>(value) = device;
            return SUCCESS;
        case 11: // begin of the allocation
            *static_cast<CUdeviceptr*>(value) = base;
            return SUCCESS;
        case 12: // its size
            *static_cast<size_t*>(value) = bytes;
            return SUCCESS;
        default:
            return NOT_SUPPORTED;
    }
}

// ---- copies ---------------------------------------------------------------------------------------------------------

EMULATED_API cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
    EMULATED_ENTER(context)
    FAIL_IF_INJECTED(CallKind::copy)
    return synchronously(context, copyNode, copyIn(to, from, bytes));
}

EMULATED_API cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
    EMULATED_ENTER(context)
    FAIL_IF_INJECTED(CallKind::copy)
    return synchronously(context, copyNode, copyOut(to, from, bytes));
}

EMULATED_API cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    EMULATED_ENTER(context)
    FAIL_IF_INJECTED(CallKind::copy)
    return synchronously(context, copyNode, copyWithin(to, from, bytes));
}

EMULATED_API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, void* handle) {
    EMULATED_ENTER(context)
    FAIL_IF_INJECTED(CallKind::copy)
    const auto stream = streamOf(context, handle);
    if (stream != nullptr && settings.deferred && stream->capture == nullptr && !memory::isPinned(from)) {
        const auto staged =
            std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
        return asynchronously(context, handle, copyNode, [=] { return copyIn(to, staged->data(), bytes)(); });
    }
    return asynchronously(context, handle, copyNode, copyIn(to, from, bytes));
}

EMULATED_API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, void* handle) {
    EMULATED_ENTER(context)
    FAIL_IF_INJECTED(CallKind::copy)
    const int result = asynchronously(context, handle, copyNode, copyOut(to, from, bytes));
    const auto stream = streamOf(context, handle);
    if (result == SUCCESS && settings.deferred && stream->capture == nullptr && !memory::isPinned(to)) {
        return flush(*stream); // pageable memory is written before the call returns
    }
    return result;
}

EMULATED_API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, void* stream) {
    EMULATED_ENTER(context)
    FAIL_IF_INJECTED(CallKind::copy)
    return asynchronously(context, stream, copyNode, copyWithin(to, from, bytes));
}

// Unified addresses: the driver finds out what each pointer is.
EMULATED_API cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, void* stream) {
    CUdeviceptr base;
    size_t length;
    int device;
    const bool toDevice = memory::find(to, &base, &length, &device);
    const bool fromDevice = memory::find(from, &base, &length, &device);
    if (toDevice && fromDevice) {
        return cuMemcpyDtoDAsync_v2(to, from, bytes, stream);
    }
    return toDevice ? cuMemcpyHtoDAsync_v2(to, reinterpret_cast<void*>(from), bytes, stream)
                    : cuMemcpyDtoHAsync_v2(reinterpret_cast<void*>(to), from, bytes, stream);
}

EMULATED_API cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return cuMemcpyAsync(to, from, bytes, nullptr);
}

EMULATED_API cuMemcpyPeer(CUdeviceptr to, void*, CUdeviceptr from, void*, size_t bytes) {
    return cuMemcpyDtoD_v2(to, from, bytes);
}
EMULATED_API cuMemcpyPeerAsync(CUdeviceptr to, void*, CUdeviceptr from, void*, size_t bytes, void* stream) {
    return cuMemcpyDtoDAsync_v2(to, from, bytes, stream);
}

// ---- memsets --------------------------------------------------------------------------------------------------------

#define EMULATED_MEMSET(name, T)                                                                             \
    EMULATED_API cuMemset##name##_v2(CUdeviceptr to, T value, size_t count) {                                \
        EMULATED_ENTER(context)                                                                              \
        FAIL_IF_INJECTED(CallKind::copy)                                                                     \
        return synchronously(context, memsetNode, fill<T>(to, value, count, 1, 0));                          \
    }                                                                                                        \
    EMULATED_API cuMemset##name##Async(CUdeviceptr to, T value, size_t count, void* stream) {                \
        EMULATED_ENTER(context)                                                                              \
        FAIL_IF_INJECTED(CallKind::copy)                                                                     \
        return asynchronously(context, stream, memsetNode, fill<T>(to, value, count, 1, 0));                 \
    }                                                                                                        \
    EMULATED_API cuMemsetD2##name##_v2(CUdeviceptr to, size_t pitch, T value, size_t width, size_t height) { \
        EMULATED_ENTER(context)                                                                              \
        FAIL_IF_INJECTED(CallKind::copy)                                                                     \
        return synchronously(context, memsetNode, fill<T>(to, value, width, height, pitch));                 \
    }                                                                                                        \
    EMULATED_API cuMemsetD2##name##Async(CUdeviceptr to, size_t pitch, T value, size_t width, size_t height, \
                                         void* stream) {                                                     \
        EMULATED_ENTER(context)                                                                              \
        FAIL_IF_INJECTED(CallKind::copy)                                                                     \
        return asynchronously(context, stream, memsetNode, fill<T>(to, value, width, height, pitch));        \
    }
EMULATED_MEMSET(D8, unsigned char)
EMULATED_MEMSET(D16, unsigned short)
EMULATED_MEMSET(D32, unsigned)

// ---- for the emulated cuBLAS
// ------------------------------------------------------------------------------------------

/** Puts work of another library on a stream. */
EMULATED_API embed4j_emulator_submit(void* handle, int (*work)(void*), void* argument, void (*release)(void*)) {
    const std::shared_ptr<void> owned(argument, release);
    EMULATED_ENTER(context)
    FAIL_IF_INJECTED(CallKind::launch)
    return asynchronously(context, handle, kernelNode, [=] { return work(owned.get()); });
}

EMULATED_API embed4j_emulator_require(const char* what, const void* address, size_t bytes) {
    return memory::require(what, reinterpret_cast<CUdeviceptr>(address), bytes, FaultKind::gemmOutOfBounds);
}

extern "C" __attribute__((visibility("default"))) void embed4j_emulator_run_together(unsigned helpers,
                                                                                     void (*body)(void*),
                                                                                     void* argument) {
    runTogether(helpers, [=] { body(argument); });
}
